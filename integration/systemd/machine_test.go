package systemd

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// patience bounds everything that waits, on a machine that does much else.
const patience = 3 * time.Minute

// machine is a systemd that runs beside the test and ends with it.
type machine struct {
	root     string // its root directory, as the test sees it
	init     string // the PID of its first process, as the test sees it
	checkout string // this repository; the machine has a copy at the same path
}

// boot starts a machine that is a copy of this one, and waits until it has started all
// that it should.
func boot(t *testing.T) *machine {
	t.Helper()
	return bootOn(t, "/")
}

// bootOn starts a machine with a copy of the root directory base.
func bootOn(t *testing.T, base string) *machine {
	t.Helper()
	if os.Getenv(isolatedVariable) == "" {
		testenv.Missing(t, "booting systemd in a network of its own needs root, outside of containers, and the package iproute2")
	}
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		testenv.Missing(t, "install systemd: %v", err)
	}
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(checkout, "bin", "rclone-gateway")); err != nil {
		testenv.Missing(t, "run `make build`: %v", err)
	}
	dir := t.TempDir()
	m := &machine{root: filepath.Join(dir, "root"), checkout: checkout}
	layer := filepath.Join(dir, "layer")
	for _, d := range []string{m.root, layer} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	groups := controlGroups(t)

	var console bytes.Buffer
	cmd := exec.Command("./boot.sh", append([]string{base, m.root, layer, strings.Join(groups, " "), m.checkout}, goDirectories(t)...)...)
	cmd.Stdout, cmd.Stderr = &console, &console
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the machine's journal:\n%s", m.try("journalctl", "--boot", "--output=short-precise"))
		}
		_ = cmd.Process.Kill() // unshare takes its child with it
		_ = cmd.Wait()         // it was killed
		if t.Failed() {
			t.Logf("the machine's console:\n%s", console.Bytes())
		}
	})
	waitFor(t, "systemd to be the machine's first process", func() bool {
		m.init = childOf(cmd.Process.Pid)
		// The script has other children before it becomes unshare, and until the last
		// one is systemd, systemctl would ask the systemd of this machine.
		name, err := os.ReadFile(filepath.Join("/proc", m.init, "comm"))
		return err == nil && strings.TrimSpace(string(name)) == "systemd"
	})
	waitFor(t, "systemd to have booted", func() bool {
		state := strings.TrimSpace(m.try("systemctl", "is-system-running", "--wait"))
		if state == "degraded" {
			t.Fatalf("units have failed:\n%s", m.try("systemctl", "--failed"))
		}
		return state == "running"
	})
	// What systemd sees below its root, the test sees through its process.
	m.root = filepath.Join("/proc", m.init, "root")
	return m
}

// childOf is the PID of a process's only child, if it has one.
func childOf(pid int) string {
	process := strconv.Itoa(pid)
	children, _ := os.ReadFile(filepath.Join("/proc", process, "task", process, "children"))
	return strings.TrimSpace(string(children))
}

// controlGroups names new groups, which go with the test, in the hierarchies that
// systemd keeps its units in: the one there is, or of several its own two.
func controlGroups(t *testing.T) []string {
	t.Helper()
	const root = "/sys/fs/cgroup"
	var groups []string
	for _, hierarchy := range []string{root, root + "/systemd", root + "/unified"} {
		if _, err := os.Stat(filepath.Join(hierarchy, "cgroup.procs")); err != nil {
			continue
		}
		groups = append(groups, filepath.Join(hierarchy, "units-test-"+strconv.Itoa(os.Getpid())))
		if hierarchy == root {
			break
		}
	}
	t.Cleanup(func() {
		for _, group := range groups {
			waitFor(t, "the control groups to be empty", func() bool { return removeGroups(group) == nil })
		}
	})
	return groups
}

// removeGroups removes a control group and those in it. Their files go with them.
func removeGroups(group string) error {
	entries, err := os.ReadDir(group)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		if err := removeGroups(filepath.Join(group, entry.Name())); err != nil {
			return err
		}
	}
	return os.Remove(group)
}

// goDirectories are those that building needs.
func goDirectories(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

// goEnvironment lets one build on the machine as here, without a network.
func (m *machine) goEnvironment(t *testing.T) []string {
	t.Helper()
	dirs := goDirectories(t)
	return []string{
		"PATH=" + dirs[0] + "/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"GOCACHE=" + dirs[1], "GOMODCACHE=" + dirs[2], "GOPROXY=off", "GOFLAGS=" + os.Getenv("GOFLAGS"),
	}
}

// command runs a program on the machine.
func (m *machine) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	inside := []string{"--target", m.init, "--mount", "--pid", "--cgroup", "--uts", "--ipc", "--root", "--wd", name}
	return exec.CommandContext(ctx, "nsenter", append(inside, args...)...)
}

// try runs a program that may fail and returns what it prints.
func (m *machine) try(name string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, _ := m.command(ctx, name, args...).CombinedOutput() // what it printed tells
	return string(out)
}

// run runs a program on the machine, which must succeed, and returns what it prints.
func (m *machine) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := m.command(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// property is what systemd says about the gateway's service.
func (m *machine) property(t *testing.T, name string) string {
	t.Helper()
	return m.run(t, "systemctl", "show", "--property", name, "--value", "rclone-gateway.service")
}

func (m *machine) write(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// waitFor polls until done says so.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	testenv.Until(t, patience, what, done)
}
