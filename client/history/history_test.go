package history_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// node is node 1, on a real Redis.
type node struct {
	redis    *redistest.Server
	rdb      *redis.Client // as the node
	vars     map[string]string
	recorder history.Recorder
	said     bytes.Buffer
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{redis: redistest.Start(t)}
	n.redis.SetupNS8()
	n.vars = map[string]string{"REDIS_USER": "node/1", "REDIS_PASSWORD": redistest.Password("node/1"), "REDIS_ADDRESS": n.redis.Addr}
	sys := host.NewSystem(strings.NewReader(""), &n.said, &n.said)
	sys.Env = host.NewEnvironment(func(name string) (string, bool) {
		value, ok := n.vars[name]
		return value, ok
	})
	n.recorder = history.Recorder{Sys: sys, Node: "1", Dir: filepath.Join(t.TempDir(), "state")}
	n.rdb = redis.NewClient(&redis.Options{Addr: n.redis.Addr, Username: "node/1", Password: redistest.Password("node/1")})
	t.Cleanup(func() { _ = n.rdb.Close() })
	return n
}

func (n *node) record(t *testing.T, runs ...history.Run) {
	t.Helper()
	if said := n.recordWith(t, runs...); said != nil {
		t.Fatal(said)
	}
}

// recordWith returns what Redis has said.
func (n *node) recordWith(t *testing.T, runs ...history.Run) (said error) {
	t.Helper()
	said, err := n.recorder.Record(t.Context(), runs...)
	if err != nil {
		t.Fatal(err)
	}
	return said
}

func (n *node) read(t *testing.T, q history.Query) string {
	t.Helper()
	runs, err := history.Read(t.Context(), n.rdb, q)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, r := range runs {
		fmt.Fprintf(&text, "%s:%s:%s:%s ", r.ID, r.Module, r.Kind, r.Outcome)
	}
	return strings.TrimSpace(text.String())
}

var start = time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)

func run(id, module string, kind history.Kind, outcome history.Outcome, after time.Duration) history.Run {
	return history.Run{ID: id, Schedule: "1", Module: module, Kind: kind, Outcome: outcome, Started: start, Ended: start.Add(after)}
}

func TestRunsAreReadAsTheyWereRecorded(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.record(t, run("a", "app1", history.Backup, history.Done, 1), run("a", "app1", history.Retention, history.Failed, 2))
	n.record(t, run("b", "app1", history.Backup, history.Failed, 3), run("b", "app2", history.Backup, history.Partial, 4))
	for _, c := range []struct {
		about string
		query history.Query
		want  string
	}{
		{"all", history.Query{}, "b:app2:backup:partial b:app1:backup:failed a:app1:retention:failed a:app1:backup:done"},
		{"of a module", history.Query{Module: "app2"}, "b:app2:backup:partial"},
		{"of a kind", history.Query{Kind: history.Retention}, "a:app1:retention:failed"},
		{"failed", history.Query{Outcome: history.Failed, Most: 1}, "b:app1:backup:failed"},
		{"the newest", history.Query{Most: 2}, "b:app2:backup:partial b:app1:backup:failed"},
		{"of one run", history.Query{ID: "a"}, "a:app1:retention:failed a:app1:backup:done"},
		{"since", history.Query{Since: start.Add(4)}, "b:app2:backup:partial"},
		{"a pattern is a name", history.Query{Module: "app*"}, ""},
		{"of another schedule", history.Query{Schedule: "2"}, ""},
	} {
		if got := n.read(t, c.query); got != c.want {
			t.Errorf("%s: %q, want %q", c.about, got, c.want)
		}
	}
	latest, err := history.Latest(t.Context(), n.rdb, "1")
	if err != nil {
		t.Fatal(err)
	}
	last := latest[[2]string{"1", "app1"}]
	if last == nil || last.Run[history.Backup].ID != "b" || last.Done[history.Backup].ID != "a" || last.Run[history.Retention].ID != "a" {
		t.Errorf("the last ones are %+v", last)
	}
	if _, done := last.Done[history.Retention]; done {
		t.Error("what failed counts as done")
	}
}

// TestNoOutcomeIsLostWhileRedisIsAway records while it is, and afterwards.
func TestNoOutcomeIsLostWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.record(t, run("a", "app1", history.Backup, history.Done, 1))
	there := n.vars["REDIS_ADDRESS"]
	n.vars["REDIS_ADDRESS"] = "127.0.0.1:1"
	for i, id := range []string{"b", "c"} {
		if n.recordWith(t, run(id, "app1", history.Backup, history.Failed, time.Duration(2+i))) == nil {
			t.Error("nobody is told that Redis is away")
		}
	}
	if err := os.WriteFile(filepath.Join(n.recorder.Dir, "unrecorded-x.json"), []byte("no runs"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.vars["REDIS_ADDRESS"] = there
	if said := n.recordWith(t); said != nil {
		t.Errorf("with Redis back: %v", said)
	}
	if got, want := n.read(t, history.Query{}), "c:app1:backup:failed b:app1:backup:failed a:app1:backup:done"; got != want {
		t.Errorf("recorded is %q, want %q", got, want)
	}
	entries, err := os.ReadDir(n.recorder.Dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "unrecorded-x.json.bad" {
		t.Errorf("left are %v, %v", entries, err)
	}
}

func TestWhatIsRecordedTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	planned := start.Add(-time.Hour)
	missed := run(history.MissedID("1", planned), "app1", history.Backup, history.Missed, 1)
	n.record(t, missed)
	n.record(t, missed)
	if got := n.read(t, history.Query{}); strings.Count(got, "missed") != 2 { // in the ID, and as the outcome
		t.Errorf("recorded is %q", got)
	}
}

// TestTheHistoryIsBounded writes more than is kept, of a module that fails in many words.
func TestTheHistoryIsBounded(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	var runs []history.Run
	for i := range 1500 {
		r := run(fmt.Sprintf("%04d", i), "app1", history.Backup, history.Failed, time.Duration(i))
		r.Error = strings.Repeat("é", 1000)
		for range 50 {
			r.Missing = append(r.Missing, "file")
		}
		runs = append(runs, r)
	}
	n.record(t, runs...)
	kept, err := history.Read(t.Context(), n.rdb, history.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) < 500 || len(kept) > 700 || kept[0].ID != "1499" {
		t.Errorf("%d are kept, the newest %s", len(kept), kept[0].ID)
	}
	if r := kept[0]; len(r.Error) > 1010 || len(r.Missing) != 21 || r.Missing[20] != "and 30 more" || strings.ContainsRune(r.Error, '\ufffd') {
		t.Errorf("an error of %d bytes, %d missing: %q", len(r.Error), len(r.Missing), r.Missing[len(r.Missing)-1])
	}
}

// TestAModuleCannotWriteHistory has only its own keys.
func TestAModuleCannotWriteHistory(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.redis.AddModules(redistest.Module{ID: "app1", UUID: "9a0fcb6d-5f5b-4f6e-a4f5-1a6b3a4b2c01"})
	n.vars["REDIS_USER"], n.vars["REDIS_PASSWORD"] = "module/app1", redistest.Password("module/app1")
	said, err := n.recorder.Record(t.Context(), run("a", "app1", history.Backup, history.Done, 1))
	if err != nil || said == nil || !strings.Contains(said.Error(), "NOPERM") {
		t.Errorf("%v, %v", said, err)
	}
}
