package notify

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/outbox"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// node is node 1 with a Redis, a gateway that answers as its API does, and a channel.
type node struct {
	redis *redistest.Server
	sys   *host.System
	dir   string
	posts chan string // what the channel was sent
}

const gatewayAnswer = `{"destinations": [
{"id": "d1", "name": "NAS", "state": "works", "level": "warning", "space": {"free": 1073741824, "total": 4294967296, "daily": 107374182, "full_on": "2026-12-10"}},
{"id": "d2", "name": "B2", "state": "fails", "level": "bad"}]}`

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{redis: redistest.Start(t), dir: t.TempDir(), posts: make(chan string, 10)}
	n.redis.SetupNS8()
	n.redis.AddModules(redistest.Module{ID: "app1", UUID: "00000001-2222-4222-8222-222222222222"}, redistest.Module{ID: "app2", UUID: "00000002-2222-4222-8222-222222222222"})
	n.redis.AddSchedule(redistest.Schedule{ID: "1", Repository: "d1", Name: "nightly", Instances: []string{"app1", "app2"}})
	mux := http.NewServeMux()
	mux.HandleFunc("/-/api/v1/destinations", func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "node/1" || password != redistest.Password("node/1") {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.WriteString(w, gatewayAnswer)
	})
	mux.HandleFunc("/hook", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n.posts <- string(body)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	conf := filepath.Join(n.dir, "notify.conf")
	if err := os.WriteFile(conf, []byte("[general]\nname = office\n[failures]\ncollect = 0s\n[webhook]\nurl = "+server.URL+"/hook\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{
		"REDIS_ADDRESS": n.redis.Addr, "REDIS_REPLICA_ADDRESS": n.redis.Addr, "REDIS_USER": "node/1", "REDIS_PASSWORD": redistest.Password("node/1"),
		"NS8_GATEWAY_URL": server.URL, "NS8_CORE_ENV": "/nonexistent", "NS8_AGENT_ENV": "/nonexistent", "GATEWAYCTL_STATE_DIR": n.dir, "GATEWAYCTL_NOTIFY_CONFIG": conf,
	}
	n.sys = host.NewSystem(strings.NewReader(""), io.Discard, io.Discard)
	n.sys.Env = host.NewEnvironment(func(name string) (string, bool) { value, ok := vars[name]; return value, ok })
	return n
}

// record records backups of a module, days ago.
func (n *node) record(t *testing.T, module string, outcome history.Outcome, days int, bytes, added uint64) {
	t.Helper()
	at := time.Now().Add(-time.Duration(days)*24*time.Hour - time.Hour)
	r := history.Run{
		ID: history.NewID("1", at), Schedule: "1", Name: "nightly", Node: "1", Module: module, Kind: history.Backup, Outcome: outcome,
		Started: at, Ended: at.Add(time.Minute), Bytes: bytes, Added: added,
	}
	if outcome == history.Failed {
		r.Error = "Fatal: no space left\nmore"
	}
	rdb := n.redis.Client("node/1", redistest.Password("node/1"))
	if err := history.Write(t.Context(), rdb, r); err != nil {
		t.Fatal(err)
	}
}

// TestADigestSaysEverything reads a real Redis, and the gateway's API.
func TestADigestSaysEverything(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for days := 6; days >= 0; days-- {
		n.record(t, "app1", history.Done, days, uint64(10-days)<<30, 1<<30)
	}
	n.record(t, "app2", history.Done, 1, 1<<30, 0)
	n.record(t, "app2", history.Failed, 0, 0, 0)
	n.redis.Do("HSET", catalog.AuditHeadKey("1"), "head", "7:abcdef", "time", "2026-11-30T07:00:00Z")
	if err := outbox.SetNotes(n.dir, "hook/1/after/", time.Now(), map[string]string{"x": "the hook x failed"}); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	n.sys.Stdout = &out
	cmd := NewCommand(n.sys)
	cmd.SetArgs([]string{"digest"})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"1 of 2 need attention\n", "- app2 (nightly): backup failed: Fatal: no space left\n", "; last good backup ",
		"- Destination NAS: it will be full on 2026-12-10", "- Destination B2: the last request there did not work", "- This node: the hook x failed\n",
		"- nightly: 1 of 2 backed up, 11.0 GiB (+6.0 GiB in 7 days)\n  7.0 GiB added to the storage in 7 days; next run ",
		"GREW MOST IN 7 DAYS\n- app1 (nightly): 10.0 GiB, +6.0 GiB\n",
		"- NAS: 1.0 GiB free of 4.0 GiB\n  +102.4 MiB a day, full on 2026-12-10\n", "- B2: it does not say how much is free\n",
		"- Checked: never\n", "- Proven restorable: never\n", "- Node 1: 7:abcdef\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the digest lacks %q:\n%s", want, text)
		}
	}
}

// TestAPassTellsWhatRedisSays goes all the way, and its messages hold no secret.
func TestAPassTellsWhatRedisSays(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.record(t, "app1", history.Done, 0, 1<<30, 0)
	n.record(t, "app2", history.Failed, 0, 0, 0)
	AfterRun(t.Context(), n.sys, n.dir)
	AfterRun(t.Context(), n.sys, n.dir)
	close(n.posts)
	var told []string
	for post := range n.posts {
		var m struct{ Subject, Level string }
		if err := json.Unmarshal([]byte(post), &m); err != nil {
			t.Fatal(err)
		}
		told = append(told, m.Level+" "+m.Subject)
		if strings.Contains(post, redistest.Password("node/1")) {
			t.Errorf("it holds a password: %s", post)
		}
	}
	if len(told) != 1 || told[0] != "bad Backups of office: app2 (nightly): backup failed: Fatal: no space left" {
		t.Errorf("people were told %q", told)
	}
}

func TestARunThatGoesOnHasNoDigestYet(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.record(t, "app1", history.Done, 0, 1<<30, 0)
	rdb := n.redis.Client("node/1", redistest.Password("node/1"))
	o := observe(t.Context(), n.sys, n.dir, time.Now())
	if last, err := ran(t.Context(), rdb, o); err != nil || len(last) != 1 || last["1"] == "" {
		t.Errorf("%v, %v", last, err)
	}
	n.redis.Do("HSET", catalog.LiveRunsKey("1"), "1 app2", "{}")
	if last, err := ran(t.Context(), rdb, o); err != nil || len(last) != 0 {
		t.Errorf("while it goes on: %v, %v", last, err)
	}
}

// TestNotesAreToldUntilTheyAreOver has a mistake in the file of channels, and a hook of a
// schedule that is gone.
func TestNotesAreToldUntilTheyAreOver(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	path, _ := n.sys.Env.Lookup("GATEWAYCTL_NOTIFY_CONFIG")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := outbox.SetNotes(n.dir, outbox.AboutHooks+"9/after/", time.Now(), map[string]string{"x": "the hook x failed"}); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		AfterRun(t.Context(), n.sys, n.dir)
	}
	write(string(good) + "[mail]\nto = nobody\n")
	if lines := outbox.Lines(n.dir); len(lines) != 1 || !strings.Contains(lines[0], "line 8: to: it is not a list of mail addresses") {
		t.Errorf("the status says %q", lines)
	}
	write(string(good))
	if lines := outbox.Lines(n.dir); len(lines) > 0 {
		t.Errorf("the status says %q", lines)
	}
	close(n.posts)
	all := ""
	for post := range n.posts {
		all += post
	}
	if !strings.Contains(all, "This node: "+path+": line 8: to: ") || !strings.Contains(all, "2 work again") {
		t.Errorf("people were told %s", all)
	}
}
