package client

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// ending is a way for a restore to come to an end in its middle.
type ending struct {
	name     string
	kill     func(*testing.T, *clientHost, int)
	survives bool // restore-module does, and tells why it ends
	native   bool // as of victims
	status   int
	says     string
}

// TestInterruptedRestore ends a restore in the middle: it says so, nothing keeps
// running, and the next one works and leaves no lock.
func TestInterruptedRestore(t *testing.T) {
	t.Parallel()
	endings := []ending{{"terminated", terminate, true, true, 128 + int(syscall.SIGTERM), "the restore is incomplete, run it again"}}
	for _, v := range victims {
		endings = append(endings, ending{v.name + " killed", v.kill, v.survives, v.native, 1, "step 10restore"})
	}
	for _, c := range []struct{ version, kind string }{{"0.18", "native"}, {"0.18", "rootfull"}, {"0.14", "rootless"}} {
		t.Run("restic "+c.version+" "+c.kind, func(t *testing.T) {
			t.Parallel()
			world := newClientWorld(t)
			backup := world.newHost(t, c.version, c.kind, savedModule)
			backup.fill(t)
			backup.addBulk(t, 24) // more packs than restic loads at once
			want := backup.tree(t)
			cmd := backup.command("module-backup", clientSchedule)
			cmd.Env = append(cmd.Env, "RESTIC_PACK_SIZE=4")
			runCommand(t, cmd).succeed(t)
			t.Run("ended by", func(t *testing.T) {
				for n, e := range endings {
					if c.kind == "native" && !e.native {
						continue
					}
					module := redistest.Module{ID: fmt.Sprint("mymodule1", n), UUID: fmt.Sprintf("1c8a8c0e-90c5-4c5e-8a0f-0d8f2a3c4d%02d", n)}
					world.redis.AddModules(module)
					world.redis.Grant(module.UUID, savedModule.UUID)
					t.Run(e.name, func(t *testing.T) {
						t.Parallel()
						gate := world.newGate(t)
						host := world.newHost(t, c.version, c.kind, module)
						host.env = append(host.env, "NS8_GATEWAY_URL="+gate.url)
						host.interruptRestore(t, gate, e)
						if c.kind != "native" && (e.survives || e.name == "the applet killed") {
							waitUntil(t, "the container is gone", func() bool { return host.podman(t, "ps", "--all", "--quiet") == "" })
						}
						host.request(t).succeed(t)
						host.compare(t, want)
					})
				}
			})
			if locks := world.objects(t, "locks"); len(locks) > 0 {
				t.Errorf("locks %q stay", locks)
			}
		})
	}
}

func terminate(t *testing.T, h *clientHost, pid int) {
	t.Helper()
	h.check(t, syscall.Kill(pid, syscall.SIGTERM))
}

// interruptRestore starts a restore, and ends it once files appear.
func (h *clientHost) interruptRestore(t *testing.T, gate *gate, e ending) {
	t.Helper()
	dir := h.volume(t)
	cmd := h.command("restore-module", "--destination", clientDestination, "--repopath", "mymodule/"+savedModule.UUID)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	hold := gate.shut(t, func(r *http.Request) bool {
		found, err := filepath.Glob(dir + "/bulk*")
		return downloads(r) && err == nil && len(found) > 0
	})
	h.check(t, cmd.Start())
	gate.await(t, hold)
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
