package runbackup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// fakeRestic stands for restic, whose own part in runs is tested in integration: it says
// what it is told, finds no snapshots, and fails for modules of the app broken.
const fakeRestic = `#!/bin/sh
case "$1" in
version) echo "restic 0.18.0 compiled with go1.24 on linux/amd64"; exit ;;
snapshots) echo "[]"; exit ;;
stats) echo '{"total_size":2048,"total_file_count":3,"snapshots_count":1}'; exit ;;
esac
echo "restic $*" >&2
case "$RESTIC_REPOSITORY" in
*/broken/*) echo "Fatal: it is broken" >&2; exit 1 ;;
esac
`

// fakeRunagent stands for NethServer 8's: it runs the script of the module beside it.
const fakeRunagent = `#!/bin/sh
test "$1" = -m || exit 99
exec "$(dirname "$0")/$2" "$3" "$4"
`

// bin is the directory of these, first on PATH.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if bin, err = os.MkdirTemp("", "runbackup"); err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(bin) }()
		for name, script := range map[string]string{"restic": fakeRestic, "runagent": fakeRunagent} {
			if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700); err != nil {
				panic(err)
			}
		}
		if err := os.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

const (
	destination = "14030a59-a4e6-54cc-b8ea-cd5f97fe44c8"
	patience    = 2 * time.Minute
)

// world is a node with a Redis of its own, a gateway that grants leases and takes files,
// and modules whose module-backup is a script.
type world struct {
	t     *testing.T
	redis *redistest.Server
	dir   string // of runs; scripts are below it
	env   map[string]string
	said  testenv.Buffer

	mu    sync.Mutex
	files map[string]string // by path, that were stored
	held  string            // by whom the repositories of all modules are held
}

// newWorld has schedule 1 for modules, of which nothing is pruned and checked by itself.
func newWorld(t *testing.T, modules ...string) *world {
	t.Helper()
	w := &world{t: t, redis: redistest.Start(t), dir: t.TempDir(), files: map[string]string{}}
	w.redis.SetupNS8()
	w.redis.AddDestinations(redistest.Destination{ID: destination, Name: "disk", Provider: "x", URL: "b2:b"})
	for i, m := range modules {
		w.redis.AddModules(redistest.Module{ID: m, UUID: uuid(i)})
	}
	w.redis.AddSchedule(redistest.Schedule{ID: "1", Repository: destination, Name: "nightly", Instances: modules})
	w.plan("prune", "never", "check", "never")
	gateway := httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(gateway.Close)
	w.env = map[string]string{
		"REDIS_ADDRESS": w.redis.Addr, "REDIS_REPLICA_ADDRESS": w.redis.Addr, "REDIS_USER": "node/1", "REDIS_PASSWORD": redistest.Password("node/1"),
		"NODE_ID": "1", "NS8_GATEWAY_URL": gateway.URL, "NS8_RESTIC_RUNTIME": "native", "NS8_CORE_ENV": "/nonexistent", "NS8_AGENT_ENV": "/nonexistent",
		"GATEWAY_MODULES_DIR": filepath.Join(w.dir, "modules.d"), "HOME": w.dir,
	}
	return w
}

func uuid(n int) string { return fmt.Sprintf("%08d-2222-4222-8222-222222222222", n) }

// plan sets fields of the schedule.
func (w *world) plan(fields ...string) {
	w.t.Helper()
	args := []any{"HSET", catalog.PlanKey("1")}
	for _, f := range fields {
		args = append(args, f)
	}
	w.redis.Do(args...)
}

// script makes a script what a module's backup is. $DIR is a directory of the test.
func (w *world) script(module, script string) {
	w.t.Helper()
	path := filepath.Join(w.dir, "scripts", module)
	w.write(path, "#!/bin/sh\nDIR="+w.dir+"\n"+script+"\n", 0o700)
	w.write(filepath.Join(w.dir, "modules.d", module), "COMMAND="+path+"\n", 0o600)
}

func (w *world) write(path, text string, mode os.FileMode) {
	w.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), mode)); err != nil {
		w.t.Fatal(err)
	}
}

// read is what scripts wrote, "" where they did not.
func (w *world) read(name string) string {
	text, _ := os.ReadFile(filepath.Join(w.dir, name))
	return string(text)
}

// options are those of the command line: busy modules are tried again soon.
func (w *world) options(change ...func(*options)) *options {
	o := &options{backup: "1", stateDir: w.dir, metricsDir: w.dir, retryEvery: 10 * time.Millisecond, retryFor: patience}
	for _, f := range change {
		f(o)
	}
	return o
}

func plannedFor(at time.Time) func(*options) {
	return func(o *options) { o.planned = at.Format(time.RFC3339) }
}

// run runs the schedule, and returns the exit status.
func (w *world) run(change ...func(*options)) int {
	w.t.Helper()
	err := w.try(w.t.Context(), change...)
	if err == nil {
		return 0
	}
	_, _ = w.said.Write([]byte("error: " + err.Error() + "\n")) // a buffer takes everything
	return exit.CodeOf(w.t.Context(), err)
}

func (w *world) try(ctx context.Context, change ...func(*options)) error {
	env := host.NewEnvironment(func(name string) (string, bool) { value, set := w.env[name]; return value, set })
	return w.options(change...).run(ctx, &host.System{Stdout: io.Discard, Stderr: &w.said, Env: env})
}

func (w *world) want(code exit.Code, change ...func(*options)) {
	w.t.Helper()
	got := w.run(change...)
	// A command that another test starts has a released lock too, until it is executed.
	for range 1000 {
		if got != int(exit.Busy) {
			break
		}
		got = w.run(change...)
	}
	if got != int(code) {
		w.t.Fatalf("exit status %d, want %d:\n%s", got, code, w.said.String())
	}
}

func (w *world) wantSaid(text string) {
	w.t.Helper()
	if !strings.Contains(w.said.String(), text) {
		w.t.Errorf("it does not say %q:\n%s", text, w.said.String())
	}
}

// outcomes are those in the history: "module kind outcome", sorted.
func (w *world) outcomes() (outcomes []string) {
	w.t.Helper()
	for _, r := range w.runs() {
		outcomes = append(outcomes, fmt.Sprintf("%s %s %s", r.Module, r.Kind, r.Outcome))
	}
	slices.Sort(outcomes)
	return outcomes
}

func (w *world) runs() []history.Run {
	w.t.Helper()
	runs, err := history.Read(w.t.Context(), w.redis.Client("node/1", redistest.Password("node/1")), history.Query{})
	if err != nil {
		w.t.Fatal(err)
	}
	return runs
}

func (w *world) wantOutcomes(want ...string) {
	w.t.Helper()
	if got := w.outcomes(); !slices.Equal(got, want) {
		w.t.Errorf("the outcomes are\n%s\nwant\n%s\nit said\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"), w.said.String())
	}
}

// wantMetric wants what Prometheus reads of the schedule.
func (w *world) wantMetric(value string) {
	w.t.Helper()
	if text := w.read("backup1.prom"); !strings.HasSuffix(text, `node_backup_status{id="1",name="nightly"} `+value+"\n") {
		w.t.Errorf("the metric is %q, want %s", text, value)
	}
}

// serve is the gateway.
func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.URL.Path == adminapi.LeasePath:
		reply := adminapi.LeaseReply{Token: "t", Counter: 1, Seconds: 60}
		if w.held != "" && r.Method == http.MethodPost {
			reply = adminapi.LeaseReply{Held: &adminapi.HeldLease{Holder: w.held, Purpose: "backup"}}
		}
		_ = json.NewEncoder(rw).Encode(reply)
	case r.Method == "MKCOL":
		rw.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPut:
		w.files[r.URL.Path] = string(body)
		rw.WriteHeader(http.StatusCreated)
	default:
		rw.WriteHeader(http.StatusNotFound)
	}
}

// hold has somebody hold all repositories, "" nobody.
func (w *world) hold(who string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = who
}

// stored are the files that were stored, by path.
func (w *world) stored() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.files)
}

// killed is the journal of a run that was killed.
func (w *world) killed(change func(*journal)) {
	w.t.Helper()
	j := newJournal(w.dir, "1", time.Time{}, time.Now().Add(-time.Minute).UTC(), nil)
	change(j)
	if err := j.save(); err != nil {
		w.t.Fatal(err)
	}
}

// done are outcomes of modules in a journal.
type done = map[string]map[history.Kind]history.Outcome
