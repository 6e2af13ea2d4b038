package client

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// victims are those of whom one is killed in the middle of its work.
var victims = []struct {
	name     string
	kill     func(*testing.T, *clientHost, int)
	survives bool // the applet does
	native   bool // restic without a container is another case than with one
}{
	{"restic", killRestic, true, true},
	{"what the applet runs", killChild, true, false},
	{"the applet", killSelf, false, true},
	{"all but restic", killAllButRestic, false, false},
}

// TestKilledBackup kills one of those who take part in a backup, while restic
// saves data and so holds a lock. Where module-backup lives on it fails, and has
// removed the lock; else the next one removes it. Nothing waits until restic takes
// the lock for stale, which in containers takes half an hour.
func TestKilledBackup(t *testing.T) {
	onEach(t, []variant{{"0.14", "native"}, {"0.18", "rootfull"}, {"0.14", "rootless"}}, func(t *testing.T, v variant) {
		host, gate := newGatedHost(t, v)
		for _, victim := range victims {
			if v.kind == "native" && !victim.native {
				continue
			}
			t.Run(victim.name, func(t *testing.T) {
				host.addBulk(t, 1)
				host.killBackup(t, gate, victim.kill, victim.survives)
				if victim.survives {
					host.wantNothingLeft(t)
				}
				whenFree(t, func() result { return host.backUp(t) }).succeed(t)
				host.wantNothingLeft(t)
			})
		}
	})
}

// TestKilledContainerOfNativeBackup has module-backup and restic in one container, as
// in compose, which is killed. The next one has another host name, and cannot ask for
// the process.
func TestKilledContainerOfNativeBackup(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		testenv.Missing(t, "a container made by unshare needs root")
	}
	host, gate := newGatedHost(t, variant{"0.14", "native"})
	contained := func(name string) (string, []string) {
		return "unshare", []string{"--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", `hostname "$0" && exec "$@"`, name, "module-backup", clientSchedule}
	}
	host.addBulk(t, 1)
	program, args := contained("first")
	cmd, _ := host.startUntil(t, gate, uploads("data/"), program, args...)
	killSelf(t, host, cmd.Process.Pid)
	_ = cmd.Wait()
	program, args = contained("second")
	whenFree(t, func() result { return host.run(t, program, args...) }).succeed(t)
	host.wantNothingLeft(t)
}

// killBackup starts a backup, and kills when restic saves data.
func (h *clientHost) killBackup(t *testing.T, gate *gate, kill func(*testing.T, *clientHost, int), survives bool) {
	t.Helper()
	cmd, stderr := h.startUntil(t, gate, uploads("data/"), "module-backup", clientSchedule)
	kill(t, h, cmd.Process.Pid)
	err := cmd.Wait()
	switch code := cmd.ProcessState.ExitCode(); {
	case !survives && code != -1:
		t.Errorf("the killed backup ended with %v: %s", err, stderr)
	case survives && (code != 1 || !strings.Contains(stderr.String(), "restic was killed")):
		t.Errorf("the backup ended with %v: %s", err, stderr)
	}
}

func killSelf(t *testing.T, h *clientHost, pid int) {
	t.Helper()
	h.check(t, syscall.Kill(pid, syscall.SIGKILL))
}

// killChild kills podman, or restic where there is no podman.
func killChild(t *testing.T, h *clientHost, pid int) {
	t.Helper()
	h.check(t, syscall.Kill(childOf(t, pid), syscall.SIGKILL))
}

func killRestic(t *testing.T, h *clientHost, pid int) {
	t.Helper()
	if h.kind == "native" {
		killChild(t, h, pid)
		return
	}
	h.podman(t, "kill", "--signal=KILL", h.podman(t, "ps", "--quiet"))
}

// killAllButRestic leaves nobody who could tell restic to end.
func killAllButRestic(t *testing.T, h *clientHost, pid int) {
	t.Helper()
	if h.kind != "native" {
		// Else the applet would see podman die, and end the container. Its threads
		// stop one after the other.
		h.check(t, syscall.Kill(pid, syscall.SIGSTOP))
		waitUntil(t, "the applet stalls", func() bool { return stopped(t, pid) })
		killChild(t, h, pid)
	}
	killSelf(t, h, pid)
}

// stopped reports whether all threads of a process are.
func stopped(t *testing.T, pid int) bool {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("process %d has no threads: %v", pid, err)
	}
	for _, thread := range threads {
		status, err := os.ReadFile(thread)
		if err == nil && !strings.Contains(string(status), ") T ") {
			return false
		}
	}
	return true
}

func (h *clientHost) wantNothingLeft(t *testing.T) {
	t.Helper()
	if locks := h.world.objects(t, "locks"); len(locks) > 0 {
		t.Errorf("locks %q stay", locks)
	}
	if left := h.dumpFiles(t); len(left) > 0 {
		t.Errorf("%q are left in the state directory", left)
	}
	if h.kind == "native" {
		return
	}
	if containers := h.podman(t, "ps", "--all", "--quiet"); containers != "" {
		t.Errorf("containers %q are left", containers)
	}
}

// TestRepositoryLockedByOthers has a check of the repository, which wants it for
// itself, in the way.
func TestRepositoryLockedByOthers(t *testing.T) {
	t.Parallel()
	locked := func(t *testing.T, version string) (*clientHost, func(), *exec.Cmd) {
		t.Helper()
		host, gate := newGatedHost(t, variant{version, "native"})
		host.backUp(t).succeed(t)
		other := host.resticCommand("module/"+savedModule.ID, "check", "--read-data")
		hold := gate.shut(t, downloads)
		host.check(t, other.Start())
		t.Cleanup(func() {
			_ = other.Process.Kill()
			_ = other.Wait()
		})
		gate.await(t, hold)
		return host, func() { gate.open(hold) }, other
	}
	t.Run("restic 0.14 gives up", func(t *testing.T) {
		t.Parallel()
		host, _, other := locked(t, "0.14")
		got := host.backUp(t)
		if got.code != 11 || !strings.Contains(got.stderr, "is locked by another process") {
			t.Errorf("exit status %d: %s", got.code, got.stderr)
		}
		if n := len(host.world.objects(t, "locks")); n != 1 {
			t.Errorf("%d locks, want the other's", n)
		}
		if left := host.dumpFiles(t); len(left) > 0 {
			t.Errorf("the backup left %q in the state directory", left)
		}
		host.check(t, other.Process.Kill())
		_ = other.Wait()
		got = host.backUp(t).succeed(t)
		if !strings.Contains(got.stderr, "removing stale locks and trying once more") {
			t.Errorf("it said %q", got.stderr)
		}
		host.wantNothingLeft(t)
	})
	t.Run("restic 0.18 waits", func(t *testing.T) {
		t.Parallel()
		host, goOn, _ := locked(t, "0.18")
		cmd := host.command("module-backup", clientSchedule)
		stderr, err := cmd.StderrPipe()
		host.check(t, err)
		host.check(t, cmd.Start())
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "trying once more") {
				goOn()
			}
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		host.wantNothingLeft(t)
	})
}
