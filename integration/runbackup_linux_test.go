package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/internal/repotest"
)

// TestRunBackupFillsADisk has a schedule's destination on a small disk of its own, which
// somebody else fills: the run says so, loses nothing, and the next one goes on by itself.
func TestRunBackupFillsADisk(t *testing.T) {
	if !mayMount(t) {
		return
	}
	r := newRunner(t)
	if err := unix.Mount("tmpfs", r.cluster.dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(r.cluster.dir, 0) })
	repotest.New(t, 2, resticPassword).Save(t, r.repo)
	at := time.Now().Truncate(time.Second).UTC()
	next := func() time.Time { at = at.Add(time.Hour); return at }

	r.run(t, 0, next())
	r.wantOutcomes(t, at, all...)
	before := filesBelow(t, filepath.Join(r.repo, "snapshots"))

	ballast := filepath.Join(r.cluster.dir, "ballast")
	r.fill(t, ballast)
	content, _ := blob(4 << 20)
	writeFile(t, filepath.Join(r.dir, "mail1", "volumes", "data", "more"), content)
	said := r.run(t, 1, next())
	if !strings.Contains(said, "schedule 1 failed for mail1") || !strings.Contains(said, "full") {
		t.Errorf("it said:\n%s", said)
	}
	if outcomes := r.outcomes(t, at); !slices.Contains(outcomes, "backup failed") || slices.Contains(outcomes, "backup done") {
		t.Errorf("the outcomes are %q", outcomes)
	}
	if after := filesBelow(t, filepath.Join(r.repo, "snapshots")); !slices.Equal(after, before) {
		t.Errorf("of the snapshots %q there are %q", before, after)
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	r.run(t, 0, next())
	r.wantOutcomes(t, at, all...)
	newRestic(t, "RESTIC_0_18", r.g.url+"/"+localDest, mailRepo, "module/mail1").run(t, "check", "--read-data")
}

// fill writes a file until its disk is full.
func (r *runner) fill(t *testing.T, name string) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	block := make([]byte, 4096)
	for range 1 << 14 {
		if _, err := file.Write(block); err != nil {
			return
		}
	}
	t.Fatal("the disk has too much room")
}
