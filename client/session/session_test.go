package session

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

func TestLockHostIsAHostName(t *testing.T) {
	for node, want := range map[string]string{
		"node1":                               "backup-app1.node1",
		"":                                    "backup-app1",
		strings.Repeat("n", 80):               "backup-app1." + strings.Repeat("n", hostNameLimit-len("backup-app1.")),
		strings.Repeat("n", 51) + "-the-rest": "backup-app1." + strings.Repeat("n", 51),
	} {
		if got := lockHost("backup-app1", node); got != want {
			t.Errorf("lockHost for node %q = %q, want %q", node, got, want)
		}
	}
}

// TestRunIDsFitIntoHostNames has one of the longest, behind which there must be
// room for the dot.
func TestRunIDsFitIntoHostNames(t *testing.T) {
	first, second := newRunID(DoesRestore, strings.Repeat("m", 100)), newRunID(DoesRestore, strings.Repeat("m", 100))
	if first == second {
		t.Errorf("two runs are called %s", first)
	}
	if host := lockHost(first, "node"); !strings.HasPrefix(host, first+".") {
		t.Errorf("host %s does not begin with %s", host, first)
	}
}

// TestRunNotesTellDeadRunsFromOthers has a run that lives, and two that were
// killed, one of them on another repository and one before restic had begun.
func TestRunNotesTellDeadRunsFromOthers(t *testing.T) {
	dir := t.TempDir()
	alive, err := writeRunNote(dir, "alive", "http://here")
	must(t, err)
	for id, repository := range map[string]string{"dead": "http://here", "elsewhere": "http://there", "early": ""} {
		note, err := writeRunNote(dir, id, repository)
		must(t, err)
		note.close() // as the kernel does
	}
	session, err := Begin(t.Context(), host.NewSystem(nil, nil, t.Output()), DoesBackup, host.Module{ID: "app1", StateDir: dir},
		&restic.Invocation{Runtime: restic.Native, Repository: restic.Repository{URL: "http://here"}})
	must(t, err)
	if here := session.deadHere(); len(session.dead) != 2 || len(here) != 1 || here[0].id != "dead" {
		t.Errorf("dead are %v, and %v here", session.dead, here)
	}
	// Neither a backup that could not begin nor another session takes them away.
	session.End(t.Context(), restic.Invocation{}, false, nil)
	alive.remove()
	dead, err := deadRunNotes(dir)
	must(t, err)
	if len(dead) != 2 {
		t.Errorf("then dead are %v", dead)
	}
}

// TestRunNoteThatAnotherRunFindsBeforeItIsLocked: as it is empty, the finder takes it
// away, and so the run makes it again.
func TestRunNoteThatAnotherRunFindsBeforeItIsLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	found, err := openLocked(filepath.Join(dir, RunNotePrefix+"new"), os.O_RDWR|os.O_CREATE, atOnce)
	must(t, err)
	type written struct {
		note *runNote
		err  error
	}
	result := make(chan written, 1)
	go func() {
		note, err := writeRunNote(dir, "new", "http://here")
		result <- written{note, err}
	}()
	testenv.Until(t, time.Minute, "the run to wait for the lock", func() bool {
		return len(result) > 0 || waitsForLock(t, found)
	})
	(&runNote{file: found}).remove()
	got := <-result
	must(t, got.err)
	if text, err := os.ReadFile(filepath.Join(dir, RunNotePrefix+"new")); string(text) != "http://here\n" {
		t.Errorf("the note holds %q, %v", text, err)
	}
	if dead, err := deadRunNotes(dir); len(dead) > 0 || err != nil {
		t.Errorf("dead are %v, %v", dead, err)
	}
	got.note.remove()
}

// waitsForLock reports whether somebody waits for the lock on the file (proc(5),
// /proc/locks).
func waitsForLock(t *testing.T, file *os.File) bool {
	t.Helper()
	info, err := file.Stat()
	must(t, err)
	stat, _ := info.Sys().(*syscall.Stat_t)
	locks, err := os.ReadFile("/proc/locks")
	must(t, err)
	for line := range strings.Lines(string(locks)) {
		if strings.Contains(line, " -> ") && strings.Contains(line, fmt.Sprintf(":%d ", stat.Ino)) {
			return true
		}
	}
	return false
}
