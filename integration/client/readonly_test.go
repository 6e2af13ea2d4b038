package client

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// readers are what must work on storage that refuses writes.
var readers = [][]string{
	{"restic-wrapper", "snapshots"},
	{"restic-wrapper", "dump", "latest", "/volumes/data/plain"},
	{"restic-wrapper", "find", "plain"},
	{"restic-wrapper", "check"},
	{"restic-wrapper", "--backup", clientSchedule, "stats", "latest"},
}

// wantReadable restores, and reads in other ways, from storage that takes no lock. It
// wants to be told so each time.
func (h *clientHost) wantReadable(t *testing.T, want map[string]string) {
	t.Helper()
	for _, command := range readers {
		got := h.run(t, command[0], command[1:]...).succeed(t)
		if !strings.Contains(got.stderr, "reading without a lock") {
			t.Errorf("%q says nothing about the lock: %q", command, got.stderr)
		}
	}
	h.check(t, os.RemoveAll(h.volume(t)+"/plain"))
	h.forgetKeys()
	got := h.request(t).succeed(t)
	if !strings.Contains(got.stderr, "reading without a lock") {
		t.Errorf("the restore says nothing about the lock: %q", got.stderr)
	}
	h.wantSaved(t, want)
	if locks := h.world.objects(t, "locks"); len(locks) > 0 {
		t.Errorf("locks %q stay", locks)
	}
}

// wantSaved wants the files that the backup holds as they were.
func (h *clientHost) wantSaved(t *testing.T, want map[string]string) {
	t.Helper()
	got := h.tree(t)
	for name, description := range want {
		if !excluded(name) && got[name] != description {
			t.Errorf("%q is\n%s, and was\n%s", name, got[name], description)
		}
	}
}

// TestRestoreFromADiskThatBecameReadOnly has what ext4 does when it finds errors.
func TestRestoreFromADiskThatBecameReadOnly(t *testing.T) {
	onEach(t, natives, func(t *testing.T, v variant) {
		storage := publicDir(t)
		mountSmall(t, storage, "200m")
		host := newClientWorldAt(t, storage).newHost(t, v, savedModule)
		host.fill(t)
		want := host.tree(t)
		host.backUp(t).succeed(t)
		host.check(t, unix.Mount("tmpfs", storage, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		host.wantReadable(t, want)
		got := host.backUp(t)
		if got.code != 5 && got.code != 6 || !strings.Contains(got.stderr, "read-only") {
			t.Errorf("a backup ends with %d: %s", got.code, got.stderr)
		}
	})
}

// TestRestoreFromAFullDisk has no room even for a lock.
func TestRestoreFromAFullDisk(t *testing.T) {
	onEach(t, natives, func(t *testing.T, v variant) {
		storage := publicDir(t)
		mountSmall(t, storage, "64m")
		host := newClientWorldAt(t, storage).newHost(t, v, savedModule)
		host.fill(t)
		want := host.tree(t)
		host.backUp(t).succeed(t)
		host.check(t, exec.Command("sh", "-c", "! cat /dev/zero 2>&- > \"$0\"", storage+"/filler").Run())
		host.wantReadable(t, want)
	})
}

// TestRestoreOverQuota has a quota that lets nothing in but locks, so that no lock is
// done without.
func TestRestoreOverQuota(t *testing.T) {
	onEach(t, natives, func(t *testing.T, v variant) {
		host := newFilledHost(t, v)
		want := host.tree(t)
		host.backUp(t).succeed(t)
		redis := host.world.redis
		redis.Do("hset", catalog.LimitsKey(clientDestination), catalog.FieldQuota, "1")
		redis.Do("publish", "cluster/event/backup-destination-changed", `{"destination_ids":["`+clientDestination+`"]}`)
		host.check(t, os.WriteFile(host.volume(t)+"/more", []byte("more than a byte"), 0o600))
		waitUntil(t, "the quota is in force", func() bool { return host.backUp(t).code == 6 })
		host.check(t, os.Remove(host.volume(t)+"/more"))
		host.forgetKeys()
		got := host.request(t).succeed(t)
		if strings.Contains(got.stderr, "without a lock") {
			t.Errorf("it said %q", got.stderr)
		}
		host.wantSaved(t, want)
	})
}
