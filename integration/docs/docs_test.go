package docs

import (
	"context"
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
const patience = 5 * time.Minute

// insideVariable tells the test binary that it is the first process of a page's own
// network: it turns the loopback interface on and runs bash.
const insideVariable = "DOCS_TEST_INSIDE"

func TestMain(m *testing.M) {
	if script := os.Getenv(insideVariable); script != "" {
		os.Exit(inside(script))
	}
	os.Exit(m.Run())
}

func inside(script string) int {
	if err := raiseLoopback(); err != nil {
		fmt.Fprintln(os.Stderr, "turn the loopback interface on:", err)
		return 1
	}
	cmd := exec.Command("bash", script)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, insideVariable+"=") })
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// raiseLoopback does what `ip link set lo up` does, without that program.
func raiseLoopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(socket) }()
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
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

// TestCommands runs the commands of every page. Those below deploy are for a machine
// of their own, which they change; integration/systemd tests what they install.
func TestCommands(t *testing.T) {
	t.Parallel()
	programs := findPrograms(t)
	for _, p := range pages(t) {
		if strings.HasPrefix(p.Name, "deploy/") || len(p.LeftTo("")) == 0 {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			run(t, p, programs)
		})
	}
}

// TestDemo runs what `make demo` runs, on a small tree.
func TestDemo(t *testing.T) {
	t.Parallel()
	programs := findPrograms(t)
	cmd := exec.CommandContext(t.Context(), "go", "run", "./cmd/demo",
		"-gateway", filepath.Join(programs, "rclone-gateway"), "-gatewayctl", filepath.Join(programs, "gatewayctl"))
	cmd.Dir = projectRoot
	cmd.Env = append(os.Environ(), "DIR=docs", "KEEP=", "PATH="+programs+":"+os.Getenv("PATH"))
	output, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "What was lost is back, byte by byte.") {
		t.Errorf("%v\n%s", err, output)
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
	script := docpage.Prologue + surroundings(t, p, outputs) + p.Script("", outputs)
	file := filepath.Join(outputs, "script")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := isolated(t, file, home, programs)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if err := p.CheckOutputs("", outputs); err != nil {
		t.Error(err)
	}
}

// surroundings is the part of the script that comes before the page's own.
func surroundings(t *testing.T, p docpage.Page, outputs string) string {
	t.Helper()
	var w strings.Builder
	for _, kind := range p.Surroundings {
		earlier, after := strings.CutPrefix(kind, "after ")
		switch {
		case after:
			dir := filepath.Join(outputs, "earlier")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			before, err := docpage.Read(projectRoot, earlier)
			if err != nil {
				t.Fatal(err)
			}
			w.WriteString(surroundings(t, before, dir) + before.Script("", dir))
		case kind == "s3": // with the bucket backups
			w.WriteString(`MINIO_ROOT_USER=test-key MINIO_ROOT_PASSWORD=test-secret MINIO_CI_CD=1 MINIO_BROWSER=off MINIO_UPDATE=off \
  minio server --quiet --address 127.0.0.1:9000 ~/.minio-data >~/.minio-log 2>&1 &
for try in {1..300}; do (: </dev/tcp/127.0.0.1/9000) 2>/dev/null && break; sleep 0.1; done
(exec -a rclone rclone-gateway mkdir ":s3,provider=Minio,endpoint='http://127.0.0.1:9000',access_key_id=test-key,secret_access_key=test-secret:backups") ||
  fail 'no bucket could be made'
`)
		case kind == "checkout":
			root, err := filepath.Abs(projectRoot)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&w, "cd '%s'\n", root)
		default:
			t.Fatalf("%s: surroundings %q, of which the tests know nothing", p.Name, kind)
		}
	}
	return w.String()
}

// isolated runs a bash script with a network and process IDs of its own; all that it
// leaves running ends with it.
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
	cmd.Env = append(goEnvironment(t), insideVariable+"="+script, "HOME="+home, "LANG=C.UTF-8", "TERM=dumb", "USER=admin",
		"PATH="+programs+":"+os.Getenv("PATH")+":/usr/sbin:/sbin")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWPID,
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

// goEnvironment lets the go command run without a network.
func goEnvironment(t *testing.T) []string {
	t.Helper()
	output, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return []string{"GOCACHE=" + lines[0], "GOMODCACHE=" + lines[1], "GOPROXY=off", "GOFLAGS=" + os.Getenv("GOFLAGS"), "CI=" + os.Getenv("CI")}
}

// findPrograms returns a directory that holds, under the names that people call
// them by, the programs that the pages run.
func findPrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, place := range map[string]struct{ variable, path string }{
		"rclone-gateway": {"RCLONE_GATEWAY", "bin/rclone-gateway"},
		"gatewayctl":     {"GATEWAYCTL", "bin/gatewayctl"},
		"rclone":         {"RCLONE", ".cache/bin/rclone"},
		"restic":         {"RESTIC_0_18", ".cache/restic/0.18/restic"},
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
	if _, err := exec.LookPath("redis-server"); err != nil {
		testenv.Missing(t, "no redis-server: install it (Debian, Ubuntu and Fedora: packages redis-server or redis)")
	}
	return dir
}
