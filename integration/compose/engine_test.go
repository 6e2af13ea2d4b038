package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

const (
	// patience bounds what should be quick, beside other tests; buildTime a build from
	// nothing.
	patience  = 10 * time.Minute
	buildTime = 20 * time.Minute
	// bridgeAddress is the engine's own on the network in which images are built.
	bridgeAddress = "10.213.77.1"
	// goServer is what builds get modules and compiled packages from.
	goServer = "http://" + bridgeAddress + ":8080"
	goproxy  = goServer + "/modules"
)

// engine is a Docker Engine of the tests' own.
type engine struct {
	root    string // of the repository
	socket  string
	config  string // of the client, empty
	compose string
	process *exec.Cmd
	exited  chan struct{} // closed when the process has ended
	lock    *os.File
}

var theEngine struct {
	once sync.Once
	*engine
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if theEngine.engine != nil {
		theEngine.stop()
	}
	os.Exit(code)
}

// startEngine returns the one engine of all tests, which has both images.
func startEngine(t *testing.T) *engine {
	t.Helper()
	theEngine.once.Do(func() {
		theEngine.engine, theEngine.err = newEngine()
	})
	if theEngine.err != nil {
		testenv.Missing(t, "%v", theEngine.err)
	}
	return theEngine.engine
}

func newEngine() (*engine, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("a Docker Engine of one's own needs root")
	}
	e := &engine{compose: os.Getenv("DOCKER_COMPOSE")}
	if e.compose == "" {
		e.compose = "docker-compose"
	}
	for _, program := range []string{"/usr/sbin/dockerd", "/usr/bin/docker", "/bin/busybox", "redis-server", e.compose} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("%w: run `make deps`", err)
		}
	}
	var err error
	if e.root, err = filepath.Abs("../.."); err != nil {
		return nil, err
	}
	for name, variable := range map[string]string{".cache/bin/rclone": "RCLONE", ".cache/restic/0.18/restic": "RESTIC_0_18"} {
		if _, err := os.Stat(e.program(variable, name)); err != nil {
			return nil, fmt.Errorf("%w: run `make deps`", err)
		}
	}
	if err := e.start(); err != nil {
		return nil, err
	}
	if err := e.serveGo(); err != nil {
		e.stop()
		return nil, err
	}
	if err := errors.Join(e.makeImages(), e.buildImages()); err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

// buildImages builds both images, side by side. What the gateway's is linked of, make
// build has compiled already.
func (e *engine) buildImages() error {
	client := make(chan error, 1)
	go func() {
		_, err := e.docker(buildTime, e.buildArgs("rclone-gateway-client", "client")...)
		client <- err
	}()
	_, err := e.docker(buildTime, e.buildArgs("rclone-gateway", "gateway")...)
	return errors.Join(err, <-client)
}

func (e *engine) buildArgs(tag, target string, more ...string) []string {
	return append([]string{"build", "--tag=" + tag, "--target=" + target, "--build-arg=GOPROXY=" + goproxy, e.root}, more...)
}

// program is what a variable names, or else what make puts there.
func (e *engine) program(variable, name string) string {
	if path := os.Getenv(variable); path != "" {
		return path
	}
	return filepath.Join(e.root, name)
}

func (e *engine) start() error {
	// Paths of sockets must be short.
	run, err := os.MkdirTemp("", "engine")
	if err != nil {
		return err
	}
	data := filepath.Join(e.root, ".cache/compose")
	e.socket, e.config = filepath.Join(run, "docker.sock"), filepath.Join(run, "config")
	if err := errors.Join(os.MkdirAll(data, 0o700), os.Mkdir(e.config, 0o700), os.Mkdir(filepath.Join(run, "bin"), 0o700),
		os.WriteFile(filepath.Join(run, "bin/docker"), []byte(dockerCommand), 0o700)); err != nil {
		return err
	}
	// Two engines cannot share their files. The lock goes when we end.
	if e.lock, err = os.Create(filepath.Join(data, "lock")); err == nil {
		err = syscall.Flock(int(e.lock.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return err
	}
	output, err := os.Create(filepath.Join(data, "dockerd.log"))
	if err != nil {
		return err
	}
	defer func() { _ = output.Close() }()
	e.process = exec.Command("/usr/sbin/dockerd",
		"--host=unix://"+e.socket, "--data-root="+filepath.Join(data, "data"),
		"--exec-root="+filepath.Join(run, "exec"), "--pidfile="+filepath.Join(run, "pid"),
		"--bip="+bridgeAddress+"/24", "--config-file="+filepath.Join(e.config, "daemon.json"))
	e.process.Args = append(e.process.Args, strings.Fields(os.Getenv("DOCKERD_ARGS"))...)
	if err := os.WriteFile(filepath.Join(e.config, "daemon.json"), []byte("{}"), 0o600); err != nil {
		return err
	}
	e.process.Stdout, e.process.Stderr = output, output
	e.process.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGTERM}
	started := make(chan error, 1)
	e.exited = make(chan struct{})
	go func() {
		// The engine gets its signal when this thread ends, so it must not.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := e.process.Start()
		started <- err
		if err == nil {
			_ = e.process.Wait() // nobody asks how it ended
			close(e.exited)
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	if err := e.inNetwork(testenv.RaiseLoopback); err != nil {
		return fmt.Errorf("the engine's network: %w", err)
	}
	if err := e.waitUp(); err != nil {
		e.stop()
		text, _ := os.ReadFile(output.Name())
		return fmt.Errorf("the engine does not come up: %w\n%s", err, lastLines(string(text), 20))
	}
	return e.clear()
}

func (e *engine) waitUp() error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		_, err := e.docker(patience, "info")
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-e.exited:
			return errors.New("dockerd ended")
		case <-deadline.C:
			return err
		}
	}
}

// clear removes what an interrupted run left; images stay, which save time.
func (e *engine) clear() error {
	ids, err := e.docker(patience, "ps", "--all", "--quiet")
	if err != nil {
		return err
	}
	for id := range strings.FieldsSeq(ids) {
		if _, err := e.docker(patience, "rm", "--force", "--volumes", id); err != nil {
			return err
		}
	}
	for _, kind := range []string{"network", "volume"} {
		if _, err := e.docker(patience, kind, "prune", "--force"); err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) stop() {
	_ = e.clear() // the next start does it again
	_ = e.process.Process.Signal(syscall.SIGTERM)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-e.exited:
	case <-limit.C:
		_ = e.process.Process.Kill()
	}
	_ = os.RemoveAll(filepath.Dir(e.socket))
	_ = e.lock.Close()
}

// inNetwork calls f in the network namespace of the engine. What f listens on or
// connects to stays there.
func (e *engine) inNetwork(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := e.enterNetwork(f)
		// A thread that ends would take along what others have started on it, which
		// dies with its parent. This one does only if it cannot come back.
		if !errors.Is(err, errLostThread) {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// errLostThread means that a thread is not in the network namespace of the others.
var errLostThread = errors.New("the thread cannot leave the engine's network")

func (e *engine) enterNetwork(f func() error) error {
	ours, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer func() { _ = ours.Close() }()
	theirs, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", e.process.Process.Pid))
	if err != nil {
		return err
	}
	defer func() { _ = theirs.Close() }()
	if err := unix.Setns(int(theirs.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	err = f()
	if back := unix.Setns(int(ours.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, errLostThread, back)
	}
	return err
}

// environ is that of the clients: nothing of the caller's Docker or Compose, and
// the docker of the engine's package before others in PATH.
func (e *engine) environ(more ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(assignment string) bool {
		return strings.HasPrefix(assignment, "DOCKER_") || strings.HasPrefix(assignment, "COMPOSE_")
	})
	return append(append(env, "PATH=/usr/bin:/usr/sbin:/bin:/sbin:"+os.Getenv("PATH"),
		"DOCKER_HOST=unix://"+e.socket, "DOCKER_CONFIG="+e.config, "DOCKER_BUILDKIT=1", "COMPOSE_DOCKER_CLI_BUILD=1",
		"GOPROXY="+goproxy, "GODEBUG="), more...)
}

// output runs the client and returns all that it prints.
func (e *engine) output(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/bin/docker", args...)
	cmd.Env = e.environ()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// docker runs the client and returns what it prints to stdout.
func (e *engine) docker(limit time.Duration, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/bin/docker", args...)
	cmd.Env = e.environ()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("docker %s: %w\n%s", strings.Join(args, " "), err, lastLines(stderr.String(), 40))
	}
	return stdout.String(), nil
}

// must is docker for a command that has to work.
func (e *engine) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := e.docker(buildTime, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
