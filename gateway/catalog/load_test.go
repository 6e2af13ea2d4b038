package catalog_test

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

const (
	uuid1 = "0b7a3c86-41ab-4c38-9a5f-1f4ac4d4c001"
	uuid2 = "0b7a3c86-41ab-4c38-9a5f-1f4ac4d4c002"
	uuid3 = "0b7a3c86-41ab-4c38-9a5f-1f4ac4d4c003"
	dest1 = "b6f0639c-4276-5b7b-8752-eda8eda282db"
	dest2 = "76d73f29-7446-5baf-a700-3ad39be75475"
	dest3 = "4d924319-154e-5686-b2d5-6849ca2486fc"
)

// cluster starts a Redis as NethServer 8 fills it.
func cluster(tb testing.TB) *redistest.Server {
	tb.Helper()
	s := redistest.Start(tb)
	s.SetupNS8()
	return s
}

func open(tb testing.TB, r catalog.Redis) redis.UniversalClient {
	tb.Helper()
	rdb, err := r.OpenReader()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// as is how the gateway connects as a user of the server.
func as(s *redistest.Server, user string) catalog.Redis {
	return catalog.Redis{Address: s.Addr, Username: user, Password: redistest.Password(user)}
}

func load(tb testing.TB, s *redistest.Server) *catalog.Snapshot {
	tb.Helper()
	snapshot, err := catalog.Load(tb.Context(), open(tb, as(s, "node/1")), catalog.LoadOptions{NodeID: "1"})
	if err != nil {
		tb.Fatal(err)
	}
	return snapshot
}

func TestLoadReadsTheWholeCluster(t *testing.T) {
	s := cluster(t)
	s.AddNode("2", "10.5.4.2")
	s.AddModules(
		redistest.Module{ID: "traefik1", UUID: uuid1},
		redistest.Module{ID: "n8n1", UUID: uuid2, Image: "ghcr.io/nethserver/n8n:1.0@sha256:00", Node: "2"},
		redistest.Module{ID: "webtop5", UUID: uuid3, Image: "registry:5000/x/webtop5:latest"},
	)
	s.Grant(uuid3, uuid1)
	s.Grant(dest1, uuid1) // of a module that is gone
	s.AddLocalDestination(dest1, "/mnt/backup")
	s.AddDestinations(
		redistest.Destination{ID: dest2, Name: "here", Provider: "cluster", URL: "webdav:http://10.5.4.1:4694"},
		redistest.Destination{ID: dest3, Name: "there", Provider: "cluster", URL: "webdav:http://10.5.4.2:4694",
			RcloneConf: "[" + dest3 + "]\ntype = webdav\nurl = http://10.5.4.2:4694\n"},
	)

	got := load(t, s)
	if len(got.Warnings) != 0 {
		t.Errorf("warnings: %v", got.Warnings)
	}
	for name, want := range map[string]struct {
		role         catalog.Role
		own, granted []string
	}{
		"node/1":          {role: catalog.RoleNode},
		"node/2":          {role: catalog.RoleNode},
		"module/traefik1": {catalog.RoleModule, []string{"traefik/" + uuid1}, nil},
		"module/n8n1":     {catalog.RoleModule, []string{"n8n/" + uuid2}, nil},
		"module/webtop5": {
			catalog.RoleModule,
			[]string{"webtop/" + uuid3, "webtop5/" + uuid3},
			[]string{"webtop/" + uuid1, "webtop5/" + uuid1},
		},
	} {
		p := got.Principals[name]
		switch {
		case p == nil:
			t.Errorf("no principal %s", name)
		case p.Role != want.role || !slices.Equal(p.Own, want.own) || !slices.Equal(p.Granted, want.granted):
			t.Errorf("%s: own %v granted %v", name, p.Own, p.Granted)
		case !p.Accepts([]byte(redistest.Password(name))) || p.Accepts([]byte("x")):
			t.Errorf("%s takes another password than its own", name)
		}
	}
	if len(got.Principals) != 5 {
		t.Errorf("principals: %v", slices.Sorted(maps.Keys(got.Principals)))
	}
	for id, want := range map[string]catalog.Destination{
		dest1: {Type: "local", Base: "/mnt/backup", Provider: "rclone"},
		dest2: {Type: "local", Base: catalog.DefaultClusterStore, Provider: "cluster"},
		dest3: {PeerNode: "2", Provider: "cluster"},
	} {
		d := got.Destinations[id]
		if d == nil || d.ID != id || d.Type != want.Type || d.Base != want.Base || d.PeerNode != want.PeerNode || d.Provider != want.Provider {
			t.Errorf("destination %s: %#v", id, d)
		}
	}
	if n := got.Nodes["2"]; len(got.Nodes) != 2 || n == nil || n.ID != "2" || n.IPAddress != netip.MustParseAddr("10.5.4.2") {
		t.Errorf("nodes: %v", got.Nodes)
	}
	if got.Network != netip.MustParsePrefix(redistest.Network) || got.LeaderID != "1" {
		t.Errorf("network %v, leader %q", got.Network, got.LeaderID)
	}
}

func TestUnchangedDestinationsAreEqualInTheNextSnapshot(t *testing.T) {
	s := cluster(t)
	s.AddLocalDestination(dest1, "/mnt/1")
	s.AddLocalDestination(dest2, "/mnt/2")
	before := load(t, s)
	s.AddLocalDestination(dest2, "/mnt/3")
	after := load(t, s)
	if !before.Destinations[dest1].Equal(after.Destinations[dest1]) {
		t.Error("the unchanged one differs")
	}
	if before.Destinations[dest2].Equal(after.Destinations[dest2]) {
		t.Error("the changed one is equal")
	}
}

// TestMalformedEntryCostsThatEntryOnly breaks one thing after the other on a
// fresh cluster; what is whole must stay, and the warning must name the key.
func TestMalformedEntryCostsThatEntryOnly(t *testing.T) {
	const secret = "SECRET0123456789"
	section := func(text string) redistest.Destination {
		return redistest.Destination{ID: dest2, Name: "b", Provider: "aws", URL: "s3:h/b", RcloneConf: text}
	}
	goodSection := "[" + dest2 + "]\ntype = s3\nsecret_access_key = " + secret + "\n"
	for _, tt := range []struct {
		name    string
		damage  func(s *redistest.Server)
		key     string // of the warning
		stays   bool   // module/broken1 stays a principal
		because string
	}{
		{"a module user without password", func(s *redistest.Server) {
			s.Do("ACL", "SETUSER", "module/broken1", "resetpass")
			s.SaveACLs()
		}, "cluster/acls module/broken1", false, "no password"},
		{"a module user with nopass", func(s *redistest.Server) {
			s.Do("ACL", "SETUSER", "module/broken1", "nopass")
			s.SaveACLs()
		}, "cluster/acls module/broken1", false, "nopass"},
		{"a line with a cut hash", func(s *redistest.Server) {
			s.Do("ACL", "DELUSER", "module/broken1")
			s.SaveACLs()
			s.Do("SADD", catalog.ACLs, "user module/broken1 on #"+secret+" -@all")
		}, "cluster/acls module/broken1", false, "SHA-256"},
		{"an invalid line", func(s *redistest.Server) { s.Do("SADD", catalog.ACLs, "gibberish "+secret) }, "cluster/acls", true, "not a line"},
		{"a user listed twice", func(s *redistest.Server) {
			s.Do("SADD", catalog.ACLs, "user module/broken1 on #"+strings.Repeat("0", 64))
		}, "cluster/acls module/broken1", false, "twice"},
		{"an invalid UUID", func(s *redistest.Server) { s.Do("HSET", catalog.ModuleUUID, "broken1", "x/../y") }, "cluster/module_uuid broken1", true, "UUID"},
		{"a UUID in capitals", func(s *redistest.Server) { s.Do("HSET", catalog.ModuleUUID, "broken1", strings.ToUpper(uuid2)) }, "cluster/module_uuid broken1", true, "UUID"},
		{"a grant of no UUID", func(s *redistest.Server) { s.Do("HSET", catalog.RestoreUUID, uuid2, "x/../y") }, "private/nodes/restore_uuid " + uuid2, true, "UUID"},
		{"grants of another type", func(s *redistest.Server) { s.Do("SET", catalog.RestoreUUID, secret) }, "private/nodes/restore_uuid", true, "another type"},
		{"an environment of another type", func(s *redistest.Server) {
			s.Do("DEL", catalog.ModuleEnvironmentKey("broken1"))
			s.Do("SET", catalog.ModuleEnvironmentKey("broken1"), secret)
		}, "module/broken1/environment IMAGE_URL", true, "another type"},
		{"an image URL that tells no name", func(s *redistest.Server) {
			s.Do("HSET", catalog.ModuleEnvironmentKey("broken1"), catalog.FieldImageURL, "x/..:"+secret)
		}, "module/broken1/environment IMAGE_URL", true, "image"},
		{"a destination without record", func(s *redistest.Server) {
			s.AddDestinations(section(goodSection))
			s.Do("DEL", catalog.DestinationKey(dest2))
		}, "private/nodes/backup_destination/rclone_conf " + dest2, true, "there is no cluster/backup_repository/" + dest2},
		{"a destination without section", func(s *redistest.Server) { s.AddDestinations(section("")) }, "cluster/backup_repository/" + dest2, true, "no rclone section"},
		{"a section that does not parse", func(s *redistest.Server) { s.AddDestinations(section("[" + dest2 + "]\n" + secret)) }, "private/nodes/backup_destination/rclone_conf " + dest2, true, "line 2"},
		{"a section of another name", func(s *redistest.Server) { s.AddDestinations(section("[" + secret + "]\ntype = s3\n")) }, "private/nodes/backup_destination/rclone_conf " + dest2, true, "not the destination's ID"},
		{"a record of another type", func(s *redistest.Server) {
			s.AddDestinations(section(goodSection))
			s.Do("DEL", catalog.DestinationKey(dest2))
			s.Do("SET", catalog.DestinationKey(dest2), secret)
		}, "cluster/backup_repository/" + dest2, true, "another type"},
		{"a destination whose ID is no UUID", func(s *redistest.Server) { s.Do("HSET", catalog.RcloneConf, "x", secret) }, "private/nodes/backup_destination/rclone_conf x", true, "UUID"},
		{"passwords of another type", func(s *redistest.Server) {
			s.Do("DEL", catalog.ResticPassword)
			s.Do("SET", catalog.ResticPassword, secret)
		}, "private/agents/backup_destination/restic_password", true, "another type"},
		{"an invalid network", func(s *redistest.Server) { s.Do("SET", catalog.ClusterNetwork, secret) }, "cluster/network", true, "CIDR"},
		{"an invalid address of a node", func(s *redistest.Server) { s.Do("HSET", catalog.NodeVPNKey("1"), "ip_address", secret) }, "node/1/vpn ip_address", true, "IP address"},
		{"a node's settings of another type", func(s *redistest.Server) {
			s.Do("DEL", catalog.NodeVPNKey("1"))
			s.Do("SET", catalog.NodeVPNKey("1"), secret)
		}, "node/1/vpn ip_address", true, "another type"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := cluster(t)
			s.AddModules(redistest.Module{ID: "whole1", UUID: uuid1}, redistest.Module{ID: "broken1", UUID: uuid2})
			s.AddLocalDestination(dest1, "/mnt/backup")
			tt.damage(s)

			got := load(t, s)
			if p := got.Principals["module/whole1"]; p == nil || !slices.Equal(p.Own, []string{"whole/" + uuid1}) {
				t.Errorf("the whole module became %v", p)
			}
			if got.Destinations[dest1] == nil || len(got.Destinations) != 1 {
				t.Errorf("destinations: %v", got.Destinations)
			}
			// What is broken is not unknown, unless nothing but a left-over is there.
			leftOver := strings.HasPrefix(tt.because, "there is no")
			if _, broken := got.Broken[dest2]; broken != (strings.HasSuffix(tt.key, dest2) && !leftOver) {
				t.Errorf("broken destinations: %v", got.Broken)
			}
			if _, stays := got.Principals["module/broken1"]; stays != tt.stays {
				t.Errorf("the broken module is a principal: %v", stays)
			}
			if len(got.Warnings) != 1 || got.Warnings[0].Key != tt.key || !strings.Contains(got.Warnings[0].Reason, tt.because) {
				t.Errorf("warnings: %+v", got.Warnings)
			}
			if strings.Contains(fmt.Sprintf("%+v", got.Warnings), secret) {
				t.Errorf("a warning holds what Redis holds: %+v", got.Warnings)
			}
		})
	}
}

func TestUUIDInCapitalsIsNoGrant(t *testing.T) {
	s := cluster(t)
	s.AddModules(redistest.Module{ID: "traefik1", UUID: strings.ToUpper(uuid1)})
	if p := load(t, s).Principals["module/traefik1"]; p == nil || len(p.Own) != 0 {
		t.Errorf("got %+v", p)
	}
}

func TestUserThatIsSwitchedOffIsNoPrincipal(t *testing.T) {
	s := cluster(t)
	s.AddModules(redistest.Module{ID: "traefik1", UUID: uuid1})
	s.Do("ACL", "SETUSER", "module/traefik1", "off")
	s.SaveACLs()
	got := load(t, s)
	if got.Principals["module/traefik1"] != nil || len(got.Warnings) != 0 {
		t.Errorf("principals %v, warnings %v", got.Principals, got.Warnings)
	}
}

func TestUsersComeFromTheSourceThatIsAskedFor(t *testing.T) {
	s := cluster(t)
	s.AddModules(redistest.Module{ID: "traefik1", UUID: uuid1})
	// As real lines get: two passwords, a selector, channels.
	s.Do("ACL", "SETUSER", "module/traefik1", ">second", "(~x +get)", "&c\"h")
	admin := as(s, redistest.AdminUser)
	node := as(s, "node/1")

	for _, tt := range []struct {
		name      string
		who       catalog.Redis
		source    catalog.ACLSource
		removeSet bool
		second    bool   // the password that only ACL LIST knows is accepted
		err       string // of the load
	}{
		{"auto, with the set", admin, catalog.ACLAuto, false, false, ""},
		{"nothing said, with the set", admin, "", false, false, ""},
		{"the set", node, catalog.ACLSet, false, false, ""},
		{"the list", admin, catalog.ACLList, false, true, ""},
		{"the list, which the user may not run", node, catalog.ACLList, false, false, "+acl|list"},
		{"auto, without the set", admin, catalog.ACLAuto, true, true, ""},
		{"auto, without the set and the right to the list", node, catalog.ACLAuto, true, false, "the set cluster/acls does not exist"},
		{"the set, which does not exist", admin, catalog.ACLSet, true, false, "the set cluster/acls does not exist"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.removeSet {
				s.Do("DEL", catalog.ACLs)
			}
			got, err := catalog.Load(t.Context(), open(t, tt.who), catalog.LoadOptions{ACLSource: tt.source})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			p := got.Principals["module/traefik1"]
			if p == nil || !p.Accepts([]byte(redistest.Password("module/traefik1"))) || p.Accepts([]byte("second")) != tt.second {
				t.Errorf("got %v", p)
			}
		})
	}
}

func TestParseACLSource(t *testing.T) {
	for _, s := range []string{"auto", "set", "list"} {
		if got, err := catalog.ParseACLSource(s); err != nil || string(got) != s {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "Auto", "acl"} {
		if _, err := catalog.ParseACLSource(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

func TestLoadFailsWithAdvice(t *testing.T) {
	s := cluster(t)
	s.AddModules(redistest.Module{ID: "traefik1", UUID: uuid1})
	secret := redistest.Password("node/1")
	for _, tt := range []struct {
		name string
		who  catalog.Redis
		want []string
	}{
		{"the wrong password", catalog.Redis{Address: s.Addr, Username: "node/1", Password: secret + "x"}, []string{"WRONGPASS", "check the Redis user and password"}},
		{"an unknown user", catalog.Redis{Address: s.Addr, Username: "node/9", Password: secret}, []string{"WRONGPASS"}},
		{"nobody, where default reads no secrets", catalog.Redis{Address: s.Addr}, []string{"NOPERM", catalog.RcloneConf, "user of a node"}},
		{"a module, which may not read what is for nodes", as(s, "module/traefik1"), []string{"NOPERM", catalog.RcloneConf}},
		{"nobody listening", catalog.Redis{Address: testenv.FreeAddr(t)}, []string{"connection refused", "check that Redis runs"}},
		{"no such socket", catalog.Redis{Address: t.TempDir() + "/redis.sock"}, []string{"no such file", "check that Redis runs"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := catalog.Load(t.Context(), open(t, tt.who), catalog.LoadOptions{Advise: tt.who.Advice})
			if err == nil || got != nil {
				t.Fatalf("loaded %v", got)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q tells the password", err)
			}
		})
	}

	t.Run("no login where one is needed", func(t *testing.T) {
		s.Do("ACL", "SETUSER", "default", "off")
		_, err := catalog.Load(t.Context(), open(t, catalog.Redis{Address: s.Addr}), catalog.LoadOptions{})
		if err == nil || !strings.Contains(err.Error(), "NOAUTH") || !strings.Contains(err.Error(), "give a Redis user") {
			t.Errorf("error %v", err)
		}
	})
	for key, name := range map[string]string{catalog.ACLs: "users", catalog.ModuleUUID: "UUIDs", catalog.RcloneConf: "sections"} {
		t.Run(name+" of another type", func(t *testing.T) {
			s.Do("DEL", key)
			s.Do("SET", key, "SECRET")
			defer s.Do("DEL", key)
			_, err := catalog.Load(t.Context(), open(t, as(s, "node/1")), catalog.LoadOptions{})
			if err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "another type") || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestLoadEndsWithItsContextWhereRedisHangs(t *testing.T) {
	s := cluster(t)
	rdb := open(t, as(s, "node/1"))
	if err := rdb.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	s.Pause()
	defer s.Resume()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := catalog.Load(ctx, rdb, catalog.LoadOptions{})
	if err == nil || !strings.Contains(err.Error(), "check that Redis runs") {
		t.Errorf("error %v", err)
	}
}

func TestLoadComesBackAfterRedisDoes(t *testing.T) {
	s := cluster(t)
	rdb := open(t, as(s, "node/1"))
	if _, err := catalog.Load(t.Context(), rdb, catalog.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if _, err := catalog.Load(t.Context(), rdb, catalog.LoadOptions{}); err == nil {
		t.Error("loaded from a Redis that is gone")
	}
	s.Restart()
	if _, err := catalog.Load(t.Context(), rdb, catalog.LoadOptions{}); err != nil {
		t.Errorf("after the restart: %v", err)
	}
}

func TestServerThatTalksGarbageIsAnError(t *testing.T) {
	for name, reply := range map[string]string{
		"another protocol":        "HTTP/1.1 400 Bad Request\r\n\r\n",
		"binary":                  "\x15\x03\x01\x00\x02\x02\x46",
		"empty lines":             "\r\n\r\n\r\n",
		"numbers":                 strings.Repeat(":1\r\n", 50),
		"strings":                 strings.Repeat("$1\r\nx\r\n", 50),
		"no values":               strings.Repeat("$-1\r\n", 50),
		"odd lists":               strings.Repeat("*3\r\n:1\r\n*1\r\n:1\r\n:2\r\n", 50),
		"odd maps":                strings.Repeat("%1\r\n*0\r\n:2\r\n", 50),
		"a length out of range":   strings.Repeat("$9223372036854775800\r\n", 5),
		"a list out of range":     strings.Repeat("*9223372036854775800\r\n", 50),
		"a negative length":       strings.Repeat("$-9\r\n", 5),
		"a list without end":      "*1000000\r\n:1\r\n",
		"every command forbidden": strings.Repeat("-ERR no\r\n", 50),
		"nothing":                 "",
	} {
		t.Run(name, func(t *testing.T) {
			for when, addr := range map[string]string{
				"at once":         redistest.Reply(t, reply),
				"after the login": redistest.ReplyAfterLogin(t, reply),
			} {
				rdb := open(t, catalog.Redis{Address: addr, Username: "u", Password: "SECRET"})
				got, err := catalog.Load(t.Context(), rdb, catalog.LoadOptions{})
				if err == nil || got != nil || strings.Contains(err.Error(), "SECRET") {
					t.Errorf("%s: got %v, error %v", when, got, err)
				}
			}
		})
	}
}

// TestLoadFailsWhereRedisFailsHalfway has a Redis that lists a user, and fails
// when it is asked for details.
func TestLoadFailsWhereRedisFailsHalfway(t *testing.T) {
	for reply, want := range map[string]string{
		"-LOADING Redis is loading the dataset in memory": "passes by itself",
		"-MASTERDOWN Link with MASTER is down":            "check the leader",
		"-ERR out of memory":                              "out of memory",
	} {
		t.Run(reply, func(t *testing.T) {
			addr := redistest.Converse(t, func(command string) (string, bool) {
				switch word, _, _ := strings.Cut(command, " "); word {
				case "smembers":
					return "*1\r\n" + redistest.Bulk("user node/1 on #"+strings.Repeat("0", 64)), true
				case "hgetall", "hkeys":
					return "*0\r\n", true
				default:
					if command == "hget node/1/vpn ip_address" {
						return reply + "\r\n", true
					}
					return "$-1\r\n", true
				}
			})
			_, err := catalog.Load(t.Context(), open(t, catalog.Redis{Address: addr}), catalog.LoadOptions{})
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "node/1/vpn") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestWhatOurUserMayNotReadIsMissedOnlyWhereItIsNeeded(t *testing.T) {
	s := cluster(t)
	s.AddLocalDestination(dest1, "/mnt")
	s.Do("ACL", "SETUSER", "node/1", "resetkeys", "%R~cluster/*", "%R~module/*", "%R~"+catalog.RcloneConf)
	got := load(t, s)
	var keys []string
	for _, w := range got.Warnings {
		keys = append(keys, w.Key)
	}
	if want := []string{catalog.FrozenKey("1"), "node/1/vpn ip_address", catalog.ResticPassword, catalog.RestoreUUID}; !slices.Equal(keys, want) {
		t.Errorf("warnings %+v", got.Warnings)
	}
	if got.Destinations[dest1] == nil {
		t.Error("no destination")
	}
}

func BenchmarkLoad(b *testing.B) {
	s := cluster(b)
	modules := make([]redistest.Module, 10_000)
	for i := range modules {
		modules[i] = redistest.Module{ID: fmt.Sprintf("app%d", i+1), UUID: fmt.Sprintf("0b7a3c86-41ab-4c38-9a5f-%012x", i)}
	}
	s.AddModules(modules...)
	destinations := make([]redistest.Destination, 1_000)
	for i := range destinations {
		id := fmt.Sprintf("b6f0639c-4276-5b7b-8752-%012x", i)
		destinations[i] = redistest.Destination{
			ID: id, Name: id, Provider: "aws", URL: "s3:s3.amazonaws.com/bucket/" + id,
			RcloneConf: "[" + id + "]\ntype = s3\nprovider = AWS\nenv_auth = true\naccess_key_id = AKIA0123456789ABCDEF\nsecret_access_key = 0123456789012345678901234567890123456789\nregion = eu-west-1\nendpoint = s3.amazonaws.com\n",
		}
	}
	s.AddDestinations(destinations...)
	rdb := open(b, as(s, "node/1"))
	b.ReportAllocs()
	for b.Loop() {
		got, err := catalog.Load(b.Context(), rdb, catalog.LoadOptions{NodeID: "1"})
		if err != nil || len(got.Principals) != 10_001 || len(got.Destinations) != 1_000 || len(got.Warnings) != 0 {
			b.Fatal(err, len(got.Warnings))
		}
	}
}
