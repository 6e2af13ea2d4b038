package client

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRestoreIsRepeatable restores twice, with other files in the way the second
// time, and leaves out the capabilities that a file had.
func TestRestoreIsRepeatable(t *testing.T) {
	for _, version := range []string{"0.14", "0.18"} {
		for _, kind := range []string{"native", "rootfull", "rootless"} {
			t.Run("restic "+version+" "+kind, func(t *testing.T) {
				world := newClientWorld(t)
				backup := world.newHost(t, version, kind, savedModule)
				backup.fill(t)
				if os.Geteuid() == 0 {
					backup.check(t, unix.Setxattr(backup.volume(t)+"/hard link", "security.capability", netRaw, 0))
				}
				want := backup.tree(t)
				backup.ctl(t, "module-backup", clientSchedule).succeed(t)

				host := world.newHost(t, version, kind, newModule)
				host.request(t).succeed(t)
				host.compare(t, want)
				host.check(t, os.WriteFile(host.volume(t)+"/symlink", []byte("written through the link"), 0o600))
				host.check(t, os.Remove(host.volume(t)+"/dangling"))
				world.redis.Do("DEL", "module/"+newModule.ID+"/mykey")
				for _, name := range []string{"string", "hash", "list", "set", "zset", "stream"} {
					world.redis.Do("DEL", "module/"+newModule.ID+"/typed/"+name)
				}
				host.request(t).succeed(t)
				host.compare(t, want)
				host.compareKeys(t)
				value := make([]byte, 64)
				if _, err := unix.Getxattr(host.volume(t)+"/hard link", "security.capability", value); !errors.Is(err, unix.ENODATA) {
					t.Errorf("the file has capabilities: %v", err)
				}
			})
		}
	}
}

// netRaw is the attribute that "setcap cap_net_raw+ep" writes.
var netRaw = []byte{1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

// TestInterruptedRestore ends a restore in the middle, by a signal to it or to
// what it runs: it says so, nothing keeps running, and the next one works.
func TestInterruptedRestore(t *testing.T) {
	for _, kind := range []string{"native", "rootfull", "rootless"} {
		for _, c := range []struct {
			name  string
			sig   syscall.Signal
			child bool
		}{
			{"terminated", syscall.SIGTERM, false},
			{"killed", syscall.SIGKILL, false},
			{"what it runs killed", syscall.SIGKILL, true},
		} {
			t.Run(kind+" "+c.name, func(t *testing.T) {
				world := newClientWorld(t)
				backup := world.newHost(t, "0.18", kind, savedModule)
				backup.fill(t)
				backup.addBulk(t, 200)
				want := backup.tree(t)
				backup.ctl(t, "module-backup", clientSchedule).succeed(t)

				host := world.newHost(t, "0.18", kind, newModule)
				host.interruptRestore(t, c.sig, c.child)
				if kind != "native" {
					waitUntil(t, "the container is gone", func() bool { return host.podman(t, "ps", "--all", "--quiet") == "" })
				}
				host.request(t).succeed(t)
				host.compare(t, want)
			})
		}
	}
}

// interruptRestore starts a restore and sends the signal, to it or to its child,
// once files appear.
func (h *clientHost) interruptRestore(t *testing.T, sig syscall.Signal, child bool) {
	t.Helper()
	dir := h.volume(t)
	cmd := h.command("restore-module", "--destination", clientDestination, "--repopath", "mymodule/"+savedModule.UUID)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	h.check(t, cmd.Start())
	waitUntil(t, "files appear", func() bool {
		found, err := filepath.Glob(dir + "/bulk*")
		return err == nil && len(found) > 0
	})
	target := cmd.Process.Pid
	if child {
		target = childOf(t, target)
	}
	h.check(t, syscall.Kill(target, sig))
	err := cmd.Wait()
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case err == nil:
		t.Error("the interrupted restore succeeded")
	case child && (status.ExitStatus() != 1 || !strings.Contains(stderr.String(), "step 10restore")):
		t.Errorf("it ended with %v: %s", err, stderr.String())
	case !child && sig == syscall.SIGTERM && (status.ExitStatus() != 128+int(sig) || !strings.Contains(stderr.String(), "the restore is incomplete, run it again")):
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
