package catalog_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"reflect"
	"strconv"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// randomCluster changes the users of a cluster at random.
type randomCluster struct {
	server *redistest.Server
	rng    *rand.Rand
	next   int
	ids    []string
}

func (c *randomCluster) add() {
	c.next++
	id := fmt.Sprintf("mail%d", c.next)
	m := redistest.Module{ID: id, UUID: fmt.Sprintf("0b7a3c86-41ab-4c38-9a5f-%012x", c.next), Node: "1"}
	if c.rng.IntN(3) == 0 {
		m.Image = "ghcr.io/x/other:1"
	}
	if c.rng.IntN(3) == 0 {
		c.server.Grant(m.UUID, uuid1)
	}
	c.server.AddModules(m)
	c.ids = append(c.ids, id)
}

// any takes one of the modules.
func (c *randomCluster) any() (id string, ok bool) {
	if len(c.ids) == 0 {
		return "", false
	}
	return c.ids[c.rng.IntN(len(c.ids))], true
}

// change changes something and says what.
func (c *randomCluster) change() string {
	id, ok := c.any()
	if !ok {
		c.add()
		return "add"
	}
	user := "module/" + id
	switch c.rng.IntN(9) {
	case 0:
		c.server.RemoveModule(id)
		c.ids = without(c.ids, id)
		return "remove " + id
	case 1:
		c.server.Do("ACL", "SETUSER", user, ">"+strconv.Itoa(c.rng.Int()))
	case 2:
		c.server.Do("ACL", "SETUSER", user, "off")
	case 3:
		c.server.Do("ACL", "SETUSER", user, "resetpass", "on", ">again")
	case 4:
		c.server.Do("ACL", "SETUSER", user, "nopass")
	case 5:
		c.server.Do("ACL", "SETUSER", fmt.Sprintf("admin/a%d", c.rng.IntN(3)), "on", ">x", "~cluster/*")
	case 6:
		c.server.Do("ACL", "DELUSER", fmt.Sprintf("admin/a%d", c.rng.IntN(3)))
	case 7: // created in two steps
		c.server.Do("HDEL", catalog.ModuleUUID, id)
		c.server.Do("ACL", "SETUSER", user, ">another")
	default:
		c.add()
		return "add"
	}
	c.server.SaveACLs()
	return "change " + user
}

func without(ids []string, gone string) (left []string) {
	for _, id := range ids {
		if id != gone {
			left = append(left, id)
		}
	}
	return left
}

// TestUsersReadAsDifferencesAreThoseOfAWholeLoad changes users at random, and compares what
// the difference makes of them with a load from nothing. No earlier snapshot may change.
func TestUsersReadAsDifferencesAreThoseOfAWholeLoad(t *testing.T) {
	s := cluster(t)
	s.AddLocalDestination(dest1, "/mnt/1")
	rdb := open(t, as(s, "node/1"))
	opts := catalog.LoadOptions{NodeID: "1"}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c := &randomCluster{server: s, rng: rand.New(rand.NewPCG(seed, 1))}
	for range 20 {
		c.add()
	}
	reader := catalog.NewReader(rdb, opts)
	if _, ok := reader.LoadUsers(t.Context()); ok {
		t.Fatal("a reader that has read nothing knows the users")
	}
	before, err := reader.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asBefore, _ := catalog.Load(t.Context(), rdb, opts)
	quick := 0
	for range 300 {
		did := c.change()
		got, ok := reader.LoadUsers(t.Context())
		if ok {
			quick++
		} else if got, err = reader.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		want, err := catalog.Load(t.Context(), rdb, opts)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: the difference (%v) makes another snapshot:\n%v\nwant\n%v", did, ok, got, want)
		}
		if !reflect.DeepEqual(before, asBefore) {
			t.Fatalf("%s: a snapshot has changed that was handed out", did)
		}
		before, asBefore = got, want
	}
	if quick < 100 {
		t.Errorf("%d of 300 changes were read as differences", quick)
	}
}

// TestWhatADifferenceCannotTellIsLoadedWhole names what LoadUsers leaves to Load.
func TestWhatADifferenceCannotTellIsLoadedWhole(t *testing.T) {
	s := cluster(t)
	s.AddModules(redistest.Module{ID: "mail1", UUID: uuid1, Node: "1"})
	reader := catalog.NewReader(open(t, as(s, "node/1")), catalog.LoadOptions{NodeID: "1"})
	for what, change := range map[string]func(){
		"a node":                      func() { s.AddNode("2", "10.5.4.2") },
		"a module of an unknown node": func() { s.AddModules(redistest.Module{ID: "mail3", UUID: uuid3, Node: "7"}) },
		"a line of something else":    func() { s.Do("SADD", catalog.ACLs, "rubbish") },
		"a user twice":                func() { s.Do("SADD", catalog.ACLs, "user module/mail1 on #"+redistest.Password("x")) },
		"no users":                    func() { s.Do("DEL", catalog.ACLs) },
		"users of another type":       func() { s.Do("SET", catalog.ACLs, "x") },
	} {
		t.Run(what, func(t *testing.T) {
			s.Do("DEL", catalog.ACLs)
			s.SaveACLs()
			if _, err := reader.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, ok := reader.LoadUsers(t.Context()); !ok {
				t.Fatal("what has not changed cannot be told")
			}
			change()
			if got, ok := reader.LoadUsers(t.Context()); ok {
				t.Errorf("it was told as a difference: %v", got.Principals)
			}
		})
	}
}

// BenchmarkLoadUsers reads the change of one module of 10,000, and beside it the least that
// must be done: the list of the users, of which nothing is looked at.
func BenchmarkLoadUsers(b *testing.B) {
	s := cluster(b)
	modules := make([]redistest.Module, 10_000)
	for i := range modules {
		modules[i] = redistest.Module{ID: fmt.Sprintf("app%d", i+1), UUID: fmt.Sprintf("0b7a3c86-41ab-4c38-9a5f-%012x", i), Node: "1"}
	}
	s.AddModules(modules...)
	rdb := open(b, as(s, "node/1"))
	reader := catalog.NewReader(rdb, catalog.LoadOptions{NodeID: "1"})
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			if _, err := reader.Load(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	lines := rdb.SMembers(b.Context(), catalog.ACLs).Val()
	flip := false
	if _, err := reader.Load(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Run("one changed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			old, changed := lines[0], lines[0]+" +get"
			if flip {
				old, changed = changed, old
			}
			flip = !flip
			s.Do("SREM", catalog.ACLs, old)
			s.Do("SADD", catalog.ACLs, changed)
			b.StartTimer()
			if _, ok := reader.LoadUsers(b.Context()); !ok {
				b.Fatal("not told as a difference")
			}
		}
	})
	b.Run("the least", func(b *testing.B) { readReply(b, s, "SMEMBERS "+catalog.ACLs, lines) })
}

// readReply reads a reply that consists of lines again and again.
func readReply(b *testing.B, s *redistest.Server, command string, lines []string) {
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, 1<<20)
	ask := func(command string, size int) {
		if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
			b.Fatal(err)
		}
		for size > 0 {
			n, err := conn.Read(buf)
			if err != nil {
				b.Fatal(err)
			}
			size -= n
		}
	}
	ask("AUTH node/1 "+redistest.Password("node/1"), len("+OK\r\n"))
	size := len(fmt.Sprintf("*%d\r\n", len(lines)))
	for _, line := range lines {
		size += len(fmt.Sprintf("$%d\r\n\r\n", len(line))) + len(line)
	}
	for b.Loop() {
		ask(command, size)
	}
}
