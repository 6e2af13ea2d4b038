package client

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A module is backed up, lost, and restored as another one, by the client as it
// is built, through the gateway as it is built, with real restic in containers of
// an ordinary user, in containers of root, and without a container.

// TestModuleLosesNothing restores twice: a restore can be repeated. Other files are
// in the way the second time. The capabilities that a file had are left out.
func TestModuleLosesNothing(t *testing.T) {
	var all []variant
	for _, version := range []string{"0.14", "0.18"} {
		for _, kind := range []string{"native", "rootfull", "rootless"} {
			all = append(all, variant{version, kind})
		}
	}
	onEach(t, all, func(t *testing.T, v variant) {
		world := newClientWorld(t)
		backup := world.newHost(t, v, savedModule)
		backup.fill(t)
		if os.Geteuid() == 0 {
			backup.check(t, unix.Setxattr(backup.volume(t)+"/hard link", "security.capability", netRaw, 0))
		}
		want := backup.tree(t)
		backup.backUp(t).succeed(t)
		backup.wantNothingLeft(t)
		if v.version == "0.18" { // what differs between them is not how they are run
			backup.wantProven(t)
		}

		host := world.newHost(t, v, newModule)
		host.request(t).succeed(t)
		host.compare(t, want)
		host.compareKeys(t)

		host.check(t, os.WriteFile(host.volume(t)+"/symlink", []byte("written through the link"), 0o600))
		host.check(t, os.Remove(host.volume(t)+"/dangling"))
		host.forgetKeys()
		host.request(t).succeed(t)
		host.compare(t, want)
		host.compareKeys(t)
		value := make([]byte, 64)
		if _, err := unix.Getxattr(host.volume(t)+"/hard link", "security.capability", value); !errors.Is(err, unix.ENODATA) {
			t.Errorf("the file has capabilities: %v", err)
		}
	})
}

// netRaw is the attribute that "setcap cap_net_raw+ep" writes.
var netRaw = []byte{1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

func TestRuntimesReadEachOthersSnapshots(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{{"native", "rootfull"}, {"rootfull", "native"}} {
		t.Run(pair[0]+" to "+pair[1], func(t *testing.T) {
			t.Parallel()
			world := newClientWorld(t)
			backup := world.newHost(t, variant{"0.18", pair[0]}, savedModule)
			backup.fill(t)
			backup.backUp(t).succeed(t)
			want := backup.tree(t)
			restored := world.newHost(t, variant{"0.18", pair[1]}, newModule)
			restored.request(t).succeed(t)
			restored.compare(t, want)
		})
	}
}

// TestSecondBackupFindsItsParent saves a module that plain restic has saved
// before, as another host.
func TestSecondBackupFindsItsParent(t *testing.T) {
	onEach(t, natives, func(t *testing.T, v variant) {
		world := newClientWorld(t)
		host := world.newHost(t, v, savedModule)
		host.fill(t)
		host.restic(t, "backup", "--host=oldnode", "state", "volumes/data")
		got := host.run(t, "module-backup", "--json", clientSchedule).succeed(t)
		var summary struct {
			BytesAdded uint64 `json:"bytes_added"`
			BytesRead  uint64 `json:"bytes_read"`
		}
		lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &summary); err != nil {
			t.Fatal(err)
		}
		if list := host.restic(t, "snapshots", "--json"); !strings.Contains(list, `"parent"`) {
			t.Errorf("no snapshot has a parent: %s", list)
		}
		if summary.BytesRead < 1<<20 || summary.BytesAdded > 1<<20 {
			t.Errorf("%d bytes were read and %d added; want next to nothing added", summary.BytesRead, summary.BytesAdded)
		}
	})
}

// TestInterruptedBackup ends a backup by a signal: no container stays, the next
// backup works, and no lock stays then.
func TestInterruptedBackup(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"native", "rootfull"} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(kind+" "+unix.SignalName(sig), func(t *testing.T) {
				t.Parallel()
				host, gate := newGatedHost(t, variant{"0.14", kind})
				world := host.world
				host.interrupt(t, gate, sig)
				// Restic itself dies, and leaves its lock, when it has nobody left to
				// write to; Podman listens to it until it ends.
				if kind == "rootfull" || sig == syscall.SIGTERM {
					waitUntil(t, "the lock is dropped", func() bool { return len(world.objects(t, "locks")) == 0 })
				}
				if kind == "rootfull" {
					waitUntil(t, "the container is gone", func() bool { return host.podman(t, "ps", "--all", "--quiet") == "" })
				}
				whenFree(t, func() result { return host.backUp(t) }).succeed(t)
				if n := len(world.objects(t, "snapshots")); n != 1 {
					t.Errorf("%d snapshots, want 1", n)
				}
				if locks := world.objects(t, "locks"); len(locks) > 0 {
					t.Errorf("locks %q stay after a backup that was well", locks)
				}
			})
		}
	}
}

func TestGatewayAway(t *testing.T) {
	t.Parallel()
	host := newFilledHost(t, variant{"0.14", "native"})
	host.world.stopGateway(t)
	got := host.backUp(t)
	if got.code != 5 || !strings.Contains(got.stderr, "cannot be reached") {
		t.Errorf("exit status %d: %s", got.code, got.stderr)
	}
}

// interrupt starts a backup, and sends the signal once restic saves data, for which
// it holds a lock.
func (h *clientHost) interrupt(t *testing.T, gate *gate, sig syscall.Signal) {
	t.Helper()
	cmd, stderr := h.startUntil(t, gate, uploads("data/"), "module-backup", clientSchedule)
	h.check(t, cmd.Process.Signal(sig))
	err := cmd.Wait()
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if sig == syscall.SIGKILL && status.Signal() == sig {
		return
	}
	if status.ExitStatus() != 128+int(sig) {
		t.Errorf("the backup ended with %v: %s", err, stderr.String())
	}
	// The next backup reads the note of what this one worked on.
	note := func(name string) bool { return strings.HasPrefix(name, ".restic-run.") }
	if left := slices.DeleteFunc(h.dumpFiles(t), note); len(left) > 0 {
		t.Errorf("the backup left %q in the state directory", left)
	}
}
