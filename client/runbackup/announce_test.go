package runbackup

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/outbox"
	"github.com/rclone-gateway/rclone-gateway/internal/mailtest"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// dead is a dead-man's switch, which keeps its pings: "PATH QUERY BODY".
type dead struct {
	*httptest.Server

	mu     sync.Mutex
	pings  []string
	status int
}

func newSwitch(t *testing.T) *dead {
	t.Helper()
	d := &dead{status: http.StatusOK}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.pings = append(d.pings, r.URL.Path+" "+r.URL.RawQuery+" "+string(body))
		w.WriteHeader(d.status)
	}))
	t.Cleanup(d.Close)
	return d
}

// heard are the pings since the last call.
func (d *dead) heard() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	pings := d.pings
	d.pings = nil
	return pings
}

func (d *dead) answer(status int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status = status
}

// configure writes notify.conf, with hooks in the directory of the test.
func (w *world) configure(text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, "notify.conf")
	w.write(path, "[failures]\ncollect = 0s\n\n[hooks]\ndir = "+filepath.Join(w.dir, "hooks")+"\n"+text, 0o600)
	w.env["GATEWAYCTL_NOTIFY_CONFIG"] = path
}

func (w *world) hook(name, script string) {
	w.t.Helper()
	w.write(filepath.Join(w.dir, "hooks", name), "#!/bin/sh\n"+script+"\n", 0o700)
}

func TestHooksKnowWhatTheRunCameTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good1", "bad1")
	w.script("good1", "exit 0")
	w.script("bad1", "echo no space >&2; exit 1")
	w.configure("")
	log := filepath.Join(w.dir, "log")
	for _, when := range []string{"before", "after", "failure"} {
		w.hook(when+"/log", `echo "$BACKUP_HOOK $BACKUP_SCHEDULE_NAME $BACKUP_MODULES $BACKUP_OUTCOME $BACKUP_FAILED_MODULES ${REDIS_PASSWORD-}" >>`+log)
	}
	w.want(exit.Failed)
	if got, want := w.read("log"), "before nightly good1 bad1   \nfailure nightly good1 bad1 failed bad1 \nafter nightly good1 bad1 failed bad1 \n"; got != want {
		t.Errorf("the hooks wrote\n%swant\n%s", got, want)
	}
	w.script("bad1", "exit 0")
	w.write(log, "", 0o600)
	w.want(exit.OK)
	if got, want := w.read("log"), "before nightly good1 bad1   \nafter nightly good1 bad1 done  \n"; got != want {
		t.Errorf("the hooks wrote\n%swant\n%s", got, want)
	}
}

func TestAHookBeforeARunThatFailsMakesItFail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good1")
	w.script("good1", "exit 0")
	w.configure("")
	w.hook("before/dump", "echo no such database; exit 3")
	w.want(exit.Failed)
	w.wantOutcomes("good1 backup failed")
	if r := w.runs()[0]; !strings.Contains(r.Error, "before/dump, which is before each run, failed: exit status 3: no such database") {
		t.Errorf("the history says %q", r.Error)
	}
	if lines := outbox.Lines(w.dir); len(lines) != 1 || !strings.Contains(lines[0], "of schedule nightly failed") {
		t.Errorf("the status says %q", lines)
	}
	w.configure("on_before_failure = warn\n")
	w.want(exit.OK)
	w.wantOutcomes("good1 backup done", "good1 backup failed", "good1 retention done")
	w.hook("before/dump", "exit 0")
	w.want(exit.OK)
	if lines := outbox.Lines(w.dir); len(lines) > 0 {
		t.Errorf("the status says %q", lines)
	}
}

func TestADeadMansSwitchHearsOfEachRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "app1")
	w.script("app1", "exit 0")
	d, other := newSwitch(t), newSwitch(t)
	w.configure("[healthchecks]\nurl = " + d.URL + "/uuid\nschedule = nightly\n\n[healthchecks other]\nurl = " + other.URL + "\nschedule = 2\n")
	w.want(exit.OK)
	pings := d.heard()
	if len(pings) != 2 || !strings.HasPrefix(pings[0], "/uuid/start rid=") || !strings.HasPrefix(pings[1], "/uuid rid=") || !strings.Contains(pings[1], "app1: backup done") {
		t.Fatalf("it heard %q", pings)
	}
	if a, b := strings.Fields(pings[0])[1], strings.Fields(pings[1])[1]; a != b || len(a) != len("rid=")+36 {
		t.Errorf("the runs are %s and %s", a, b)
	}
	if pings := other.heard(); len(pings) > 0 {
		t.Errorf("that of another schedule heard %q", pings)
	}
	// A ping that was not taken is in the status, and goes out with the next pass, once.
	w.script("app1", "echo password=hunter2hunter2 "+redistest.Password("node/1")+" >&2; exit 1")
	d.answer(http.StatusServiceUnavailable)
	w.want(exit.Failed)
	if lines := outbox.Lines(w.dir); len(lines) != 1 || !strings.Contains(lines[0], "503") {
		t.Errorf("the status says %q", lines)
	}
	pings = d.heard()
	failed := func(p string) bool { return strings.HasPrefix(p, "/uuid/fail ") }
	if !slices.ContainsFunc(pings, failed) || strings.Contains(strings.Join(pings, ""), "hunter2") || strings.Contains(strings.Join(pings, ""), redistest.Password("node/1")) {
		t.Errorf("it heard %q", pings)
	}
}

// TestAFailureIsMailedWhenTheRunEnds goes all the way, over a mail server that greylists.
func TestAFailureIsMailedWhenTheRunEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "bad1")
	w.script("bad1", "echo no space left >&2; exit 1")
	server := mailtest.Start(t, nil, false)
	w.configure("[general]\nname = office\n\n[mail]\nto = ann@example.org\nfrom = backup@example.org\nsecurity = none\nserver = " + server.Addr + "\n")
	w.want(exit.Failed)
	letters := server.Letters()
	if len(letters) != 1 {
		t.Fatalf("it took %+v\n%s", letters, w.said.String())
	}
	m, err := letters[0].Parse()
	if err != nil || !strings.HasPrefix(m.Header.Get("Subject"), "Backups of office: bad1 (nightly): backup failed: no space left") {
		t.Errorf("%v: %s", err, letters[0].Raw)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "notify", "queue")); err != nil {
		t.Error(err)
	}
}
