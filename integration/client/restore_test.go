package client

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// ending is a way for a restore to come to an end in its middle.
type ending struct {
	name     string
	kill     func(*testing.T, *clientHost, int)
	survives bool // restore-module does, and says why it ends
	native   bool // as of victims
	status   int
	says     string
}

// TestInterruptedRestore ends a restore in the middle: it says so, nothing keeps
// running, and the next one works and leaves no lock.
func TestInterruptedRestore(t *testing.T) {
	onEach(t, []variant{{"0.18", "native"}, {"0.18", "rootfull"}, {"0.14", "rootless"}}, func(t *testing.T, v variant) {
		backup := newHostOfManyPacks(t, v)
		world, want := backup.world, backup.tree(t)
		t.Run("ended by", func(t *testing.T) {
			for n, e := range endingsOf(v) {
				module := redistest.Module{ID: fmt.Sprint("mymodule1", n), UUID: fmt.Sprintf("1c8a8c0e-90c5-4c5e-8a0f-0d8f2a3c4d%02d", n)}
				world.redis.AddModules(module)
				world.redis.Grant(module.UUID, savedModule.UUID)
				t.Run(e.name, func(t *testing.T) {
					t.Parallel()
					gate := world.newGate(t)
					host := world.newHost(t, v, module)
					host.env = append(host.env, "NS8_GATEWAY_URL="+gate.url)
					host.interruptRestore(t, gate, e)
					if v.kind != "native" && (e.survives || e.name == "the applet killed") {
						waitUntil(t, "the container is gone", func() bool { return host.podman(t, "ps", "--all", "--quiet") == "" })
					}
					whenFree(t, func() result { return host.request(t) }).succeed(t)
					host.compare(t, want)
				})
			}
		})
		if locks := world.objects(t, "locks"); len(locks) > 0 {
			t.Errorf("locks %q stay", locks)
		}
	})
}

// endingsOf are the ways for a restore to end that are different ones there.
func endingsOf(v variant) []ending {
	endings := []ending{{"terminated", terminate, true, true, 128 + int(syscall.SIGTERM), "the restore is incomplete, run it again"}}
	for _, victim := range victims {
		endings = append(endings, ending{victim.name + " killed", victim.kill, victim.survives, victim.native, 1, "step 10restore"})
	}
	switch v.kind {
	case "native":
		return slices.DeleteFunc(endings, func(e ending) bool { return !e.native })
	case "rootless": // where signals have further to go, and containers are a user's
		return []ending{endings[0], endings[len(endings)-1]}
	default:
		return endings
	}
}

// newHostOfManyPacks is one with a snapshot of more packs than restic loads at once.
func newHostOfManyPacks(t *testing.T, v variant) *clientHost {
	t.Helper()
	host := newFilledHost(t, v)
	host.addBulk(t, 24)
	cmd := host.command("module-backup", clientSchedule)
	cmd.Env = append(slices.Clone(cmd.Env), "RESTIC_PACK_SIZE=4")
	runCommand(t, cmd).succeed(t)
	return host
}

// TestKilledRestoreElsewhere leaves restic alone with a lock: the next run of the
// module, here a backup, ends it and removes the lock.
func TestKilledRestoreElsewhere(t *testing.T) {
	t.Parallel()
	host, gate := newGatedHost(t, variant{"0.18", "rootfull"})
	host.backUp(t).succeed(t)
	cmd, _ := host.startUntil(t, gate, downloads, "restore-module", "--destination", clientDestination, "--target", host.path("elsewhere"))
	killAllButRestic(t, host, cmd.Process.Pid)
	_ = cmd.Wait()
	if locks := host.world.objects(t, "locks"); len(locks) != 1 {
		t.Errorf("restic holds the locks %q, want one", locks)
	}
	got := host.backUp(t).succeed(t)
	if !strings.Contains(got.stderr, "a run was interrupted: removing stale locks") {
		t.Errorf("it said %q", got.stderr)
	}
	host.wantNothingLeft(t)
}

// TestVerifyFindsDamage changes a file between the moment in which restic has
// written it and the one in which restic reads it again, for which it must have
// loaded everything.
func TestVerifyFindsDamage(t *testing.T) {
	onEach(t, natives, func(t *testing.T, v variant) {
		backup := newHostOfManyPacks(t, v)
		world, want := backup.world, backup.tree(t)
		gate := world.addGate(t)
		host := world.newHost(t, v, newModule)
		damaged := ""
		var mu sync.Mutex
		hold := gate.shut(t, func(r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			if damaged == "" && downloads(r) {
				damaged = host.wholeFile(want)
			}
			return damaged != ""
		})
		restore := func() result {
			return host.run(t, "restore-module", "--verify", "--step=10restore",
				"--destination", clientDestination, "--repopath", "mymodule/"+savedModule.UUID)
		}
		done := make(chan result)
		go func() { done <- restore() }()
		gate.await(t, hold)
		file, err := os.OpenFile(host.path(damaged), os.O_WRONLY, 0)
		host.check(t, err)
		_, err = file.WriteAt([]byte("damaged"), 1000)
		host.check(t, errors.Join(err, file.Close()))
		gate.open(hold)
		got := <-done
		if text := "is not what snapshot"; got.code != 1 || !strings.Contains(got.stderr, text) || !strings.Contains(got.stderr, "holds: "+damaged+": ") {
			t.Errorf("exit status %d, want 1 and a text with %q and %q: %s", got.code, text, damaged, got.stderr)
		}
		restore().succeed(t)
		host.compare(t, want)
	})
}

// wholeFile is one of the large files of the module that is restored already, or "".
func (h *clientHost) wholeFile(want map[string]string) string {
	for name := range want {
		data, err := os.ReadFile(h.path(name))
		if err == nil && len(data) == 1<<20 && strings.Contains(want[name], fmt.Sprintf(" %x,", sha256.Sum256(data))) {
			return name
		}
	}
	return ""
}

func terminate(t *testing.T, h *clientHost, pid int) {
	t.Helper()
	h.check(t, syscall.Kill(pid, syscall.SIGTERM))
}

// interruptRestore starts a restore, and ends it once files appear.
func (h *clientHost) interruptRestore(t *testing.T, gate *gate, e ending) {
	t.Helper()
	dir := h.volume(t)
	cmd, stderr := h.startUntil(t, gate, func(r *http.Request) bool {
		found, err := filepath.Glob(dir + "/bulk*")
		return downloads(r) && err == nil && len(found) > 0
	}, "restore-module", "--destination", clientDestination, "--repopath", "mymodule/"+savedModule.UUID)
	e.kill(t, h, cmd.Process.Pid)
	err := cmd.Wait()
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case !e.survives && !status.Signaled():
		t.Errorf("the killed restore ended with %v: %s", err, stderr.String())
	case e.survives && (status.ExitStatus() != e.status || !strings.Contains(stderr.String(), e.says)):
		t.Errorf("it ended with %v: %s", err, stderr.String())
	}
}

// childOf is the process that pid has started.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	child := 0
	waitUntil(t, "there is a child", func() bool {
		lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
		if err != nil {
			return false
		}
		for _, list := range lists {
			text, err := os.ReadFile(list)
			if err != nil {
				continue
			}
			if first := strings.Fields(string(text)); len(first) > 0 {
				child, err = strconv.Atoi(first[0])
				return err == nil
			}
		}
		return false
	})
	return child
}
