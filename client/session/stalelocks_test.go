package session

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

func TestProgramOf(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	must(t, err)
	const longest = 15 // of what the kernel keeps
	want := filepath.Base(self)
	if name, alive := programOf(os.Getpid()); name != want[:min(len(want), longest)] || !alive {
		t.Errorf("this process is %q, alive: %t", name, alive)
	}
	if _, alive := programOf(1 << 30); alive {
		t.Error("a process that never was is alive")
	}
	cmd := exec.Command("true")
	must(t, cmd.Start())
	testenv.Until(t, time.Minute, "the command to end", func() bool {
		_, alive := programOf(cmd.Process.Pid)
		return !alive
	})
	must(t, cmd.Wait())
	if _, alive := programOf(cmd.Process.Pid); alive {
		t.Error("the command is alive again when its parent has seen it end")
	}
}

// TestLocksOfTheDead is about native restics. The one that a killed run started has a
// process ID that another program has got by now.
func TestLocksOfTheDead(t *testing.T) {
	t.Parallel()
	here, err := os.Hostname()
	must(t, err)
	dir := t.TempDir()
	note, err := writeRunNote(dir, "killed", "http://here")
	must(t, err)
	note.addProcess(os.Getpid())
	note.close() // as the kernel does
	dead, err := deadRunNotes(dir)
	must(t, err)
	ended := exec.Command("true")
	must(t, ended.Run())
	living := exec.Command("sh", "-c", "echo; read line") // which has a name of its own
	living.Path = copiedAs(t, living.Path, "restic")
	stdin, err := living.StdinPipe()
	must(t, err)
	stdout, err := living.StdoutPipe()
	must(t, err)
	must(t, living.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = living.Wait()
	})
	_, err = stdout.Read(make([]byte, 1)) // it runs, and so has its name
	must(t, err)
	dead[0].processes = append(dead[0].processes, process{here, living.Process.Pid}, process{"container", 7})

	locks := staleLocks{restic: restic.Invocation{Runtime: restic.Native}, dead: dead}
	for name, test := range map[string]struct {
		lock lockFile
		want bool
	}{
		"of a process that is gone":                       {lockFile{here, ended.Process.Pid}, true},
		"of a killed run, and another program has the ID": {lockFile{here, os.Getpid()}, true},
		"of a killed run, and a restic has the ID":        {lockFile{here, living.Process.Pid}, false},
		"of a living process":                             {lockFile{here, os.Getppid()}, false},
		"of a killed run in a container":                  {lockFile{"container", 7}, true},
		"of another process in that container":            {lockFile{"container", 8}, false},
		"of another host":                                 {lockFile{"elsewhere", 7}, false},
	} {
		if got := locks.isDead(test.lock); got != test.want {
			t.Errorf("a lock %s is dead: %t", name, got)
		}
	}
}

// TestLockThatGoesWhileItIsRead has one whose owner removes it when restic is about to
// load it, so that restic fails.
func TestLockThatGoesWhileItIsRead(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "restic"), "#!/bin/sh\nexit 1\n", 0o755)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	for name, goes := range map[string]bool{"it goes": true, "it stays": false} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if asked++; goes && asked > 1 {
					w.WriteHeader(http.StatusNotFound)
				}
			}))
			defer gateway.Close()
			locks := staleLocks{restic: restic.Invocation{
				Runtime: restic.Native, Repository: restic.Repository{URL: gateway.URL},
			}, probe: run.NewProbe(host.NewEnvironment(os.LookupEnv))}
			if err := locks.removeIfDead(t.Context(), "0815"); (err == nil) != goes {
				t.Errorf("removeIfDead = %v", err)
			}
			if asked != 2 {
				t.Errorf("the gateway was asked %d times, want before and after restic", asked)
			}
		})
	}
}

// TestLockOfARunElsewhereGoesWhenNobodyRefreshesIt is of a run whose lease has ended: its
// restic may be alive, and only without its gateway.
func TestLockOfARunElsewhereGoesWhenNobodyRefreshesIt(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "restic"), "#!/bin/sh\necho '{\"hostname\":\"elsewhere\",\"pid\":17}'\n", 0o755)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	now := time.Date(2026, time.November, 30, 2, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		locker      string
		saved       time.Time
		goes, fresh bool
	}{
		"its restic has refreshed it":        {"elsewhere 17", now.Add(-6 * time.Minute), false, true},
		"nobody has for longer than restic":  {"elsewhere 17", now.Add(-8 * time.Minute), true, false},
		"of a container, by its host name":   {"elsewhere", now.Add(-8 * time.Minute), true, false},
		"the storage does not know its age":  {"elsewhere 17", time.Time{}, false, true},
		"of another process, which lives":    {"elsewhere 18", now.Add(-8 * time.Minute), false, false},
		"of nobody who had a lease":          {"", now.Add(-time.Hour), false, false},
		"the storage's clock is behind ours": {"elsewhere 17", now.Add(time.Minute), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			removed := false
			gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				removed = removed || r.Method == http.MethodDelete
				w.Header().Set("Date", now.Format(http.TimeFormat))
				if !test.saved.IsZero() {
					w.Header().Set("Last-Modified", test.saved.Format(http.TimeFormat))
				}
			}))
			defer gateway.Close()
			locks := staleLocks{
				restic: restic.Invocation{Runtime: restic.Native, Repository: restic.Repository{URL: gateway.URL}},
				probe:  run.NewProbe(host.NewEnvironment(os.LookupEnv)), lockers: []string{test.locker},
			}
			if err := locks.removeIfDead(t.Context(), "0815"); err != nil || removed != test.goes || locks.fresh != test.fresh {
				t.Errorf("%v, removed: %v, fresh: %v", err, removed, locks.fresh)
			}
		})
	}
}

func copiedAs(t *testing.T, source, name string) string {
	t.Helper()
	content, err := os.ReadFile(source)
	must(t, err)
	copied := t.TempDir() + "/" + name
	// Whoever is started in the meantime would hold it open, and it could not be run.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	must(t, os.WriteFile(copied, content, 0o755))
	return copied
}
