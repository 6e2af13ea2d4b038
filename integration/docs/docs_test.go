package docs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/internal/docpage"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// patience bounds the run of a page.
const patience = 20 * time.Minute

// insideVariable tells the test binary that it is the first process of a page's own
// machine: it turns the loopback interface on, enters the page's world, mounts /proc and
// runs bash.
const insideVariable = "DOCS_TEST_INSIDE"

func TestMain(m *testing.M) {
	if script := os.Getenv(insideVariable); script != "" {
		os.Exit(inside(script))
	}
	os.Exit(m.Run())
}

func inside(script string) int {
	if err := testenv.RaiseLoopback(); err != nil {
		fmt.Fprintln(os.Stderr, "turn the loopback interface on:", err)
		return 1
	}
	if err := enterWorld(os.Getenv(worldVariable)); err != nil {
		fmt.Fprintln(os.Stderr, "the world of the page:", err)
		return 1
	}
	if err := mountProc(); err != nil {
		fmt.Fprintln(os.Stderr, "mount a /proc of these processes:", err)
		return 1
	}
	cmd := exec.Command("bash", script)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, insideVariable+"=") })
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(1, cmd.ProcessState.ExitCode())
	}
	return 0
}

// mountProc makes pidof and /proc/PID show the page's processes, and no others. It
// is for a process that has mounts of its own.
func mountProc() error {
	return unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
}

// projectRoot is where the documentation begins.
const projectRoot = "../.."

// pages reads every page of the documentation.
func pages(t *testing.T) []docpage.Page {
	t.Helper()
	names, err := docpage.Names(projectRoot)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]docpage.Page, len(names))
	for i, name := range names {
		if all[i], err = docpage.Read(projectRoot, name); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestCommands runs the commands of every page, except those that it leaves to others.
func TestCommands(t *testing.T) {
	t.Parallel()
	programs := findPrograms(t)
	for _, p := range pages(t) {
		if len(p.LeftTo("")) == 0 {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			run(t, p, programs)
		})
	}
}

// run runs the page's blocks and looks at what they print.
func run(t *testing.T, p docpage.Page, programs string) {
	t.Helper()
	home, err := os.MkdirTemp("", "docs") // paths of unix sockets must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	outputs := t.TempDir()
	root, err := filepath.Abs(projectRoot)
	if err != nil {
		t.Fatal(err)
	}
	script := docpage.Prologue + helpers + fmt.Sprintf("PROJECT='%s' OUTPUTS='%s' ROOT=%s\n", root, outputs, map[bool]string{true: "yes"}[os.Geteuid() == 0]) +
		surroundings(t, p, outputs) + p.Script("", outputs) + aftermath(t, p)
	if strings.Contains(script, address) {
		publish(t, home)
	}
	file := filepath.Join(outputs, "script")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := isolated(t, file, home, programs)
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() == exitMissing {
		testenv.Missing(t, "%s", said)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if err := p.CheckOutputs("", outputs); err != nil {
		t.Error(err)
	}
}

// isolated runs a bash script with a network, mounts and process IDs of its own; all
// that it leaves running ends with it.
func isolated(t *testing.T, script, home, programs string) (said string, err error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Dir = home
	cmd.Env = append(environment(t), "GORACE=atexit_sleep_ms=0", insideVariable+"="+script, worldVariable+"="+makeWorld(t), "HOME="+home, "GATEWAY_MODULES_DIR="+home+"/modules.d", "LANG=C.UTF-8", "TERM=dumb", "USER=admin",
		"PATH="+programs+":"+os.Getenv("PATH")+":/usr/sbin:/sbin")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// findPrograms returns a directory that holds, under the names that people call
// them by, the programs that the pages run.
func findPrograms(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("the commands of the documentation take minutes")
	}
	dir := t.TempDir()
	for name, place := range map[string]struct{ variable, path string }{
		"rclone-gateway": {"RCLONE_GATEWAY", "bin/rclone-gateway"},
		"gatewayctl":     {"GATEWAYCTL", "bin/gatewayctl"},
		"rclone":         {"RCLONE", ".cache/bin/rclone"},
		"restic":         {"RESTIC_0_18", ".cache/restic/0.18/restic"},
		"restic-0.14":    {"RESTIC_0_14", ".cache/restic/0.14/restic"},
		"minio":          {"", ".cache/bin/minio"},
	} {
		path := os.Getenv(place.variable)
		if path == "" {
			path = filepath.Join(projectRoot, place.path)
		}
		path, err := filepath.Abs(path)
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			testenv.Missing(t, "%v: run `make deps build`", err)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "sudo"), []byte(asRoot), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	for _, name := range []string{"redis-server", "prometheus-node-exporter"} {
		if _, err := exec.LookPath(name); err != nil {
			testenv.Missing(t, "no %s: install it (Debian and Ubuntu: the package of that name)", name)
		}
	}
	return dir
}
