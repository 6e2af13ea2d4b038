package client

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/changes"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// plainVars is the environment of the administrator of a plain Redis.
func plainVars(addr string) map[string]string {
	return map[string]string{"REDIS_ADDRESS": addr, "REDIS_REPLICA_ADDRESS": addr}
}

// published are the users that gateways are told, sorted.
func published(t *testing.T, server *redistest.Server) []string {
	t.Helper()
	lines, err := server.Admin().SMembers(t.Context(), catalog.ACLs).Result()
	if err != nil {
		t.Fatal(err)
	}
	users := make([]string, len(lines))
	for i, line := range lines {
		users[i] = strings.Fields(line)[1]
	}
	slices.Sort(users)
	return users
}

// TestNodesAreNotListedWithoutTheirModules where Redis cannot say who is on them, and
// has no leader either.
func TestNodesAreNotListedWithoutTheirModules(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	vars := plainVars(server.Addr)
	callApplet(t, vars, "", program, "node", "add").succeed(t)
	server.Do("HDEL", catalog.ClusterEnvironment, catalog.FieldNodeID)
	server.Do("SET", catalog.ModuleNode, "no hash")
	if got := callApplet(t, vars, "", program, "node", "list"); got.code != int(exit.Redis) || !strings.Contains(got.stderr, "WRONGTYPE") {
		t.Errorf("exit status %d: %s%s", got.code, got.stdout, got.stderr)
	}
}

// TestAGrantIsWrittenDown with who may read what from now on, for the audit logs.
func TestAGrantIsWrittenDown(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	vars := plainVars(server.Addr)
	callApplet(t, vars, "", program, "node", "add").succeed(t)
	const old = "0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11"
	callApplet(t, vars, "", program, "module", "add", "--restore-from", old, "notes2").succeed(t)
	found, err := changes.After(t.Context(), server.Admin(), "")
	if err != nil {
		t.Fatal(err)
	}
	if last := found[len(found)-1]; last.What != "add module notes2, which may restore from "+old {
		t.Errorf("it is written down as %q", last.What)
	}
}

// TestWhoComesAtOnceIsPublished adds, removes and changes many users at the same
// time: at the end the gateways are told what ACL LIST says, to the last line.
func TestWhoComesAtOnceIsPublished(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	vars := plainVars(server.Addr)
	callApplet(t, vars, "", program, "node", "add").succeed(t)
	const most = 8
	for i := range most {
		callApplet(t, vars, "", program, "module", "add", fmt.Sprintf("old%d", i)).succeed(t)
	}
	var all sync.WaitGroup
	do := func(args ...string) {
		all.Go(func() {
			if got := callApplet(t, vars, "", append([]string{program}, args...)...); got.code != 0 {
				t.Errorf("%q: exit status %d: %s", args, got.code, got.stderr)
			}
		})
	}
	for i := range most {
		do("module", "add", fmt.Sprintf("new%d", i))
		if i%2 == 0 {
			do("module", "remove", fmt.Sprintf("old%d", i))
		} else {
			do("module", "passwd", fmt.Sprintf("old%d", i))
		}
	}
	all.Wait()
	lines, err := server.Admin().ACLList(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	want := account.List(lines).Principals()
	got := server.Admin().SMembers(t.Context(), catalog.ACLs).Val()
	digests := func(lines []string) []string {
		var short []string
		for _, line := range lines {
			short = append(short, strings.Join(strings.Fields(line)[:4], " ")) // Redis orders the rules as it likes
		}
		slices.Sort(short)
		return short
	}
	if !slices.Equal(digests(got), digests(want)) || len(got) != 1+most+most/2 {
		t.Errorf("published are %q,\nthe users are %q", digests(got), digests(want))
	}
}

// TestTwoModulesOfOneNameAreNotMade: of many that add the same, one succeeds.
func TestTwoModulesOfOneNameAreNotMade(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	vars := plainVars(server.Addr)
	callApplet(t, vars, "", program, "node", "add").succeed(t)
	outcomes := make([]outcome, 8)
	var all sync.WaitGroup
	for i := range outcomes {
		all.Go(func() { outcomes[i] = callApplet(t, vars, "", program, "module", "add", "app1") })
	}
	all.Wait()
	var made []outcome
	for _, got := range outcomes {
		if got.code == 0 {
			made = append(made, got)
		} else if got.code != int(exit.Conflict) {
			t.Errorf("exit status %d: %s", got.code, got.stderr)
		}
	}
	if len(made) != 1 {
		t.Fatalf("%d were made", len(made))
	}
	login := envfile.Parse([]byte(made[0].stdout))
	if err := server.Client(login["REDIS_USER"], login["REDIS_PASSWORD"]).Ping(t.Context()).Err(); err != nil {
		t.Errorf("the password that was shown: %v", err)
	}
	if uuid := server.Do("HGET", catalog.ModuleUUID, "app1"); uuid != login["MODULE_UUID"] {
		t.Errorf("the UUID is %v, and %s was shown", uuid, login["MODULE_UUID"])
	}
}

func TestUsersOutliveRedisWithAnACLFile(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	vars := plainVars(server.Addr)
	node := callApplet(t, vars, "", program, "node", "add").succeed(t)
	module := callApplet(t, vars, "", program, "module", "add", "app1").succeed(t)
	server.Restart() // after a crash: nobody saved anything at the end
	for _, text := range []string{node.stdout, module.stdout} {
		login := envfile.Parse([]byte(text))
		if err := server.Client(login["REDIS_USER"], login["REDIS_PASSWORD"]).Ping(t.Context()).Err(); err != nil {
			t.Errorf("%s: %v", login["REDIS_USER"], err)
		}
	}
}

func TestUsersOutliveRedisWithAConfigurationFile(t *testing.T) {
	t.Parallel()
	conf := filepath.Join(t.TempDir(), "redis.conf")
	addr, stop := startConfigured(t, conf, "requirepass administration\n")
	vars := plainVars(addr)
	vars["REDIS_PASSWORD"] = "administration"
	node := callApplet(t, vars, "", program, "node", "add").succeed(t)
	if strings.Contains(node.stderr, "forgets its users") || strings.Contains(node.stderr, "may do everything") {
		t.Errorf("it warns of nothing: %s", node.stderr)
	}
	stop()
	addr, _ = startConfigured(t, conf, "")
	login := envfile.Parse([]byte(node.stdout))
	rdb, err := host.ConnectRedis(t.Context(), redisconn.Config{Address: addr}, host.Credentials{User: login["REDIS_USER"], Password: login["REDIS_PASSWORD"]})
	if err != nil {
		t.Fatal(err)
	}
	_ = rdb.Close()
	// The administrator's own password stays what it was.
	vars["REDIS_ADDRESS"] = addr
	callApplet(t, vars, "", program, "node", "list").succeed(t)
}

func TestUsersThatRedisForgetsAreWarnedOf(t *testing.T) {
	t.Parallel()
	conf := filepath.Join(t.TempDir(), "redis.conf")
	addr, _ := startConfigured(t, conf, "")
	if err := os.Remove(conf); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(conf, 0o700); err != nil { // so that even root cannot write it
		t.Fatal(err)
	}
	got := callApplet(t, plainVars(addr), "", program, "node", "add").succeed(t)
	if !strings.Contains(got.stderr, "forgets its users when it restarts: start it with an ACL file") || !strings.Contains(got.stdout, "REDIS_PASSWORD=") {
		t.Errorf("it says %q", got.stderr)
	}
}

// startConfigured runs a redis-server with a configuration file, to which it adds.
func startConfigured(t *testing.T, conf, text string) (addr string, stop func()) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		testenv.Missing(t, "no redis-server: install it")
	}
	old, _ := os.ReadFile(conf)
	addr = testenv.FreeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	if err := os.WriteFile(conf, append(old, text+"bind 127.0.0.1\nport "+port+"\nsave \"\"\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, conf)
	cmd.Dir = filepath.Dir(conf)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(stop)
	watch := time.AfterFunc(2*time.Minute, stop)
	defer watch.Stop()
	var said []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			go func() {
				for lines.Scan() { // so that it is never held up
					continue
				}
			}()
			return addr, stop
		}
	}
	t.Fatalf("redis-server did not start:\n%s", strings.Join(said, "\n"))
	return "", nil
}

// TestEachBadRedisIsToldInOneLine asks for what the commands of an administrator
// cannot do with a Redis that is not as it must be.
func TestEachBadRedisIsToldInOneLine(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	replica := redistest.Start(t, "--replicaof", strings.Replace(master.Addr, ":", " ", 1))
	lonely := redistest.Start(t, "--min-replicas-to-write", "1")
	closed := redistest.Start(t)
	closed.Do("ACL", "SETUSER", "default", "resetpass", ">administration")
	narrow := redistest.Start(t)
	narrow.Do("ACL", "SETUSER", "default", "-@all", "+@read", "+@write", "+@connection", "+info")
	without := redistest.Start(t, "--rename-command", "ACL", "")
	ns8 := redistest.Start(t)
	ns8.SetupNS8()
	clusterVars := plainVars(ns8.Addr)
	clusterVars["REDIS_USER"], clusterVars["REDIS_PASSWORD"] = redistest.AdminUser, redistest.Password(redistest.AdminUser)
	with := func(addr, user, password string) map[string]string {
		vars := plainVars(addr)
		vars["REDIS_USER"], vars["REDIS_PASSWORD"] = user, password
		return vars
	}
	nowhere := net.JoinHostPort("127.0.0.1", "1")
	full := redistest.Start(t, "--maxmemory", "1")
	old := redistest.StartVersion5(t, "")
	oldWithPassword := redistest.StartVersion5(t, "hidden-word")

	for _, tt := range []struct {
		name string
		vars map[string]string
		args []string
		code exit.Code
		line string
	}{
		{"nobody there", plainVars(nowhere), nil, exit.Redis, "redis at 127.0.0.1:1 does not answer: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"no address", plainVars("localhost"), nil, exit.Usage, "an address must be host:port"},
		{"a password nobody told us", plainVars(closed.Addr), nil, exit.Redis, "wants a user and a password, and none were given: set REDIS_USER and REDIS_PASSWORD"},
		{"a wrong password", with(closed.Addr, "", "not-this-one"), nil, exit.Redis, `refuses user "default": wrong password, or the user was removed`},
		{"a wrong user", with(closed.Addr, "somebody", "not-this-one"), nil, exit.Redis, `refuses user "somebody": wrong password, or the user was removed`},
		{"a user without a password", with(master.Addr, "somebody", ""), nil, exit.Usage, "REDIS_PASSWORD is not set beside REDIS_USER"},
		{"a password file that is not there", map[string]string{"REDIS_ADDRESS": master.Addr, "REDIS_PASSWORD_FILE": "/nonexistent"}, nil, exit.Usage, "($REDIS_PASSWORD_FILE): open /nonexistent: no such file or directory"},
		{"no administrator", plainVars(narrow.Addr), nil, exit.Forbidden, `does not let user "default" administer it: set REDIS_USER and REDIS_PASSWORD to an administrator's`},
		{"no ACLs", plainVars(without.Addr), nil, exit.Redis, "has no users: Redis 6 or later is needed, with its command ACL"},
		{"version 5", plainVars(old), nil, exit.Redis, "is version 5.0, which has no users: Redis 6 or later is needed"},
		{"version 5 with a user", with(old, "somebody", "hidden-word"), nil, exit.Redis, "does not know users: Redis 6 or later is needed"},
		{"version 5 with a password nobody told us", plainVars(oldWithPassword), nil, exit.Redis, "wants a user and a password, and none were given"},
		{"protected mode", plainVars(redistest.StartProtected(t)), nil, exit.Redis, "ended the connection: check that it runs; in protected mode"},
		{"protected mode, with a user", with(redistest.StartProtected(t), "somebody", "hidden-word"), nil, exit.Redis, "ended the connection: check that it runs; in protected mode"},
		{"a read-only replica", plainVars(replica.Addr), nil, exit.Redis, "is a read-only replica: REDIS_ADDRESS must be the leader's"},
		{"a master without replicas", plainVars(lonely.Addr), nil, exit.Redis, "takes no writes while too few replicas are connected (min-replicas-to-write)"},
		{"no memory", plainVars(full.Addr), nil, exit.Full, "has no memory left (maxmemory)"},
		{"NethServer 8", clusterVars, nil, exit.Conflict, "is that of a NethServer 8 cluster, which makes its nodes, modules and schedules itself"},
		{"NethServer 8, a module", clusterVars, []string{"module", "add", "app1"}, exit.Conflict, "NethServer 8"},
		{"NethServer 8, a password", clusterVars, []string{"node", "passwd", "1"}, exit.Conflict, "NethServer 8"},
		{"NethServer 8, a removal", clusterVars, []string{"node", "remove", "1"}, exit.Conflict, "NethServer 8"},
		{"NethServer 8, a schedule", clusterVars, []string{"schedule", "add", "--destination", "x"}, exit.Conflict, "NethServer 8"},
		{"NethServer 8, a schedule's end", clusterVars, []string{"schedule", "remove", "1"}, exit.Conflict, "NethServer 8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			args := tt.args
			if args == nil {
				args = []string{"node", "add", "1"}
			}
			got := callApplet(t, tt.vars, "", append([]string{program}, args...)...)
			got.fail(t, tt.code, tt.line)
			if strings.Count(got.stderr, "\n") != 1 || !strings.HasPrefix(got.stderr, "gatewayctl: ") {
				t.Errorf("it says %q, which is not one line", got.stderr)
			}
			if password := tt.vars["REDIS_PASSWORD"]; password != "" && strings.Contains(got.stderr, password) {
				t.Error("it tells the password")
			}
		})
	}
}

// TestNothingIsHalfMadeOnAReadOnlyRedis: a user is not held back by a replica as
// keys are, so it could be made without them.
func TestNothingIsHalfMadeOnAReadOnlyRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	vars := plainVars(server.Addr)
	callApplet(t, vars, "", program, "node", "add").succeed(t)
	server.Do("CONFIG", "SET", "min-replicas-to-write", "1")
	callApplet(t, vars, "", program, "module", "add", "app1").fail(t, exit.Redis, "takes no writes")
	callApplet(t, vars, "", program, "destination", "add", "--provider", "smb", "--url", "smb:share", "--no-test",
		"--set", "smb_host=h", "--set", "smb_user=u", "--set", "smb_domain=d").fail(t, exit.Invalid, "the password is needed")
	server.Do("CONFIG", "SET", "min-replicas-to-write", "0")
	if users := published(t, server); !slices.Equal(users, []string{"node/1"}) {
		t.Errorf("published are %q", users)
	}
	if list := server.Admin().ACLList(t.Context()).Val(); account.List(list).Has("module/app1") {
		t.Error("the user was made")
	}
}
