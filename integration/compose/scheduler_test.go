package compose

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// wikiUser owns the data of the second module, and nothing else.
const wikiUser = 4711

// wikiVolume is what somebody writes for a second module, whose files are below
// MODULES_DIR.
const wikiVolume = `services:
  scheduler:
    volumes:
      - wiki-data:/srv/modules/wiki1/volumes/data
volumes:
  wiki-data:
`

// notifyDir is a directory as somebody writes it who wants mail, here each minute, and has
// a program for it.
func notifyDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	conf := "[general]\nname = the office\n[digest]\nwhen = minutely\n[mail]\nto = ann@example.org\nfrom = backup@example.org\nsendmail = /etc/rclone-gateway/sendmail\n"
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, "notify.conf"), []byte(conf), 0o644), //nolint:gosec // the container's root reads what all may
		os.WriteFile(filepath.Join(dir, "sendmail"), []byte("#!/bin/sh\nexec cat >>/var/lib/rclone-gateway-runs/letters\n"), 0o755)); err != nil { //nolint:gosec // as above
		t.Fatal(err)
	}
	return dir
}

// TestComposeBacksUpByItself starts the services and looks at what comes of that: two
// modules of different users, two destinations, every minute.
func TestComposeBacksUpByItself(t *testing.T) {
	t.Parallel()
	p := newProject(t, startEngine(t), "clock")
	p.overrideWith(t, wikiVolume)
	p.env = []string{"MODULES_DIR=" + wikiModule(t), "NOTIFY_DIR=" + notifyDir(t), "WHEN=minutely", "PRUNE=hourly", "CHECK=hourly", "DRILL=hourly", "DRILL_MODULES=0"}
	p.must(t, "volume", "create", "--label=com.docker.compose.project="+p.name, "--label=com.docker.compose.volume=wiki-data", p.name+"_wiki-data")
	data := p.volume(t, "wiki-data")
	file := filepath.Join(data, "page.txt")
	if err := errors.Join(os.WriteFile(file, []byte("Hello, wiki."), 0o600), os.Chown(file, wikiUser, wikiUser),
		os.Chmod(data, 0o700), os.Chown(data, wikiUser, wikiUser)); err != nil {
		t.Fatal(err)
	}
	p.want(t, 0, "up", "--detach")

	t.Run("backups, checks and drills of all modules appear in the status", func(t *testing.T) {
		var status statusReport
		defer func() { t.Logf("%s: %+v", status.Verdict, status.Modules) }()
		// On a busy machine a run may take longer than a minute, and the next is skipped.
		waitFor(t, "all to be well, with a drill of each module at each destination", func() bool {
			said := p.inScheduler(t, "gatewayctl", "status", "--json")
			status = statusReport{}
			return json.Unmarshal([]byte(said), &status) == nil && status.OK && status.complete()
		})
	})
	t.Run("retention and prune are outcomes too", func(t *testing.T) {
		for _, kind := range []string{"retention", "prune"} {
			ran := map[string]bool{}
			for _, r := range p.history(t, "--kind", kind) {
				if r.Outcome != "done" {
					t.Errorf("%s of %s by %s: %s %s", kind, r.Module, r.Name, r.Outcome, r.Error)
				}
				ran[r.Module+" "+r.Name] = true
			}
			if len(ran) != 4 {
				t.Errorf("%s ran for %v", kind, ran)
			}
		}
	})
	t.Run("each module runs as its own user, and none reads the files of another", func(t *testing.T) {
		said := p.inScheduler(t, "stat", "-c", "%u:%g:%a", "/run/module/wiki1.env", "/srv/modules/wiki1/state", "/srv/modules/wiki1/volumes/data")
		if said != "4711:4711:600\n4711:4711:700\n4711:4711:700\n" {
			t.Errorf("the files of wiki1:\n%s", said)
		}
		if said := p.inScheduler(t, "cat", "/srv/modules/wiki1/volumes/data/page.txt"); said != "" {
			t.Errorf("another user reads %q", said)
		}
		if n := count(t, p.volume(t, "repositories")+"/wiki/*/snapshots/*"); n == 0 {
			t.Error("no snapshot of wiki1")
		}
	})
	t.Run("a scheduler that is restarted runs nothing twice and loses nothing", func(t *testing.T) {
		before := newestPlanned(p.history(t, "--kind", "backup"))
		p.want(t, 0, "restart", "--timeout=120", "scheduler")
		waitFor(t, "another run", func() bool { return newestPlanned(p.history(t, "--kind", "backup")).After(before) })
		wantEachOnce(t, p.history(t, "--kind", "backup"))
	})
	t.Run("people get a digest", func(t *testing.T) {
		waitFor(t, "a digest", func() bool {
			letters := p.inScheduler(t, "cat", "/var/lib/rclone-gateway-runs/letters")
			return strings.Contains(letters, "\nSubject: Backups of the office: ") && strings.Contains(letters, "\nSTORAGE\r\n") && strings.Contains(letters, " free of ")
		})
	})
	t.Run("it stops cleanly", func(t *testing.T) {
		id := p.container(t, "scheduler")
		p.want(t, 0, "stop", "--timeout=120", "scheduler")
		if code := p.inspect(t, id, ".State.ExitCode"); code != "0" {
			t.Errorf("exit status %s", code)
		}
		if logs, _ := p.output("logs", "--tail=5", id); !strings.Contains(logs, "scheduler of node 1: stopped") {
			t.Errorf("it said last\n%s", logs)
		}
	})
}

// wikiModule is a directory of modules, of which there is one.
func wikiModule(t *testing.T) string {
	t.Helper()
	dir := worldReadable(t)
	for name, text := range map[string]string{"wiki1/etc/state-include.conf": "volumes/data\n", "wiki1/user": "4711:4711\n"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// inScheduler runs a command in the scheduler's container, and returns what it prints to
// stdout, whatever its exit status.
func (p *project) inScheduler(t *testing.T, args ...string) string {
	t.Helper()
	out, _ := p.docker(patience, append([]string{"exec", p.container(t, "scheduler")}, args...)...)
	return out
}

// statusReport is what "gatewayctl status --json" prints, as far as it is looked at.
type statusReport struct {
	OK      bool   `json:"ok"`
	Verdict string `json:"verdict"`
	Modules []struct {
		Name    string     `json:"schedule_name"`
		Module  string     `json:"module"`
		Why     string     `json:"why"`
		Success *time.Time `json:"last_success"`
		Checked *time.Time `json:"last_check"`
		Proven  *time.Time `json:"last_proven_restorable"`
		Next    *time.Time `json:"next_run"`
	} `json:"modules"`
}

// complete reports whether two modules at two destinations have all that can be shown.
func (s *statusReport) complete() bool {
	for _, m := range s.Modules {
		if m.Success == nil || m.Checked == nil || m.Proven == nil || m.Next == nil {
			return false
		}
	}
	return len(s.Modules) == 4
}

// ranTask is an outcome in the history.
type ranTask struct {
	Name    string    `json:"schedule_name"`
	Module  string    `json:"module"`
	Outcome string    `json:"outcome"`
	Error   string    `json:"error"`
	Planned time.Time `json:"planned"`
}

// history is what "gatewayctl runs list" shows, the newest first.
func (p *project) history(t *testing.T, args ...string) []ranTask {
	t.Helper()
	var runs []ranTask
	said := p.inScheduler(t, append([]string{"gatewayctl", "runs", "list", "--limit=0", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(said), &runs); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return runs
}

// newestPlanned is when the newest run was planned for.
func newestPlanned(runs []ranTask) time.Time {
	var newest time.Time
	for _, r := range runs {
		if r.Planned.After(newest) {
			newest = r.Planned
		}
	}
	return newest
}

// wantEachOnce wants one outcome for each minute that was planned, of each module and
// schedule, and none left out.
func wantEachOnce(t *testing.T, runs []ranTask) {
	t.Helper()
	minutes := map[string][]time.Time{}
	for _, r := range runs {
		key := r.Module + " by " + r.Name
		minutes[key] = append(minutes[key], r.Planned)
	}
	for key, planned := range minutes {
		slices.SortFunc(planned, time.Time.Compare)
		for i := 1; i < len(planned); i++ {
			if gap := planned[i].Sub(planned[i-1]); gap != time.Minute {
				t.Errorf("%s: between two runs that were planned are %s: %v", key, gap, planned)
			}
		}
	}
}
