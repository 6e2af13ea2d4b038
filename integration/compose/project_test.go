package compose

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// project is compose.yaml under a name of its own.
type project struct {
	*engine
	name string
	dir  string   // where compose.yaml is
	own  []string // of .env: what keeps it apart from projects that run at the same time
	env  []string // of .env besides
	// override is a second compose file, or "".
	override string
}

// newProject removes the project with all its volumes when the test ends. Projects of
// other names may run at the same time.
func newProject(t *testing.T, e *engine, name string) *project {
	t.Helper()
	p := &project{engine: e, name: name, dir: e.root, own: []string{"GATEWAY_PORT=" + strconv.Itoa(int(lastPort.Add(1)))}}
	t.Cleanup(func() {
		if t.Failed() {
			p.tell(t)
		}
		p.override, p.env = "", nil
		if out, code := p.run("--profile", "test", "--profile", "demo", "down", "--volumes", "--timeout=1"); code != 0 {
			t.Errorf("down: %s", out)
		}
	})
	return p
}

// lastPort is the last one that a project got in the engine's network.
var lastPort = func() *atomic.Int32 {
	var port atomic.Int32
	port.Store(4700)
	return &port
}()

// tell logs the state of a project that failed, and what its containers said last.
func (p *project) tell(t *testing.T) {
	t.Helper()
	ids, err := p.docker(patience, "ps", "--all", "--quiet", "--filter=label=com.docker.compose.project="+p.name)
	if err != nil {
		t.Log(err)
	}
	for id := range strings.FieldsSeq(ids) {
		state, _ := p.docker(patience, "inspect", "--format={{.Name}} {{json .State}}", id)
		said, _ := p.output("logs", "--tail=40", id)
		t.Logf("%s%s", state, said)
	}
}

// overrideWith has compose read a second file.
func (p *project) overrideWith(t *testing.T, text string) {
	t.Helper()
	p.override = filepath.Join(t.TempDir(), "override.yaml")
	if err := os.WriteFile(p.override, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// command runs compose. The directory's own .env is not read; the example is.
func (p *project) command(ctx context.Context, args ...string) *exec.Cmd {
	all := []string{"--ansi=never", "--project-name", p.name, "--env-file", filepath.Join(p.dir, ".env.example"), "--file", filepath.Join(p.dir, "compose.yaml")}
	if p.override != "" {
		all = append(all, "--file", p.override)
	}
	cmd := exec.CommandContext(ctx, p.compose, append(all, args...)...)
	cmd.Env = p.environ(slices.Concat(composeEnv, p.own, p.env)...)
	// Compose stops what it started.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	return cmd
}

// composeEnv is what every Compose is told. No schedule is to run by itself, at midnight
// for instance, but where a test wants that.
var composeEnv = []string{"WAIT=180", "COMPOSE_HTTP_TIMEOUT=300", "WHEN=yearly"}

// run returns what compose prints, and its exit status.
func (p *project) run(args ...string) (string, int) {
	return p.start(args...).wait()
}

// running is a command that still runs.
type running struct {
	process *exec.Cmd
	prints  string // where a block's script leaves what it prints
	output  bytes.Buffer
	code    int
	done    chan struct{}
}

func (p *project) start(args ...string) *running {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	r := &running{process: p.command(ctx, args...)}
	r.process.Stdout, r.process.Stderr = &r.output, &r.output
	r.begin(cancel)
	return r
}

// begin runs the command, and calls ended when it has ended.
func (r *running) begin(ended func()) {
	r.done = make(chan struct{})
	err := r.process.Start()
	go func() {
		defer close(r.done)
		defer ended()
		if err == nil {
			err = r.process.Wait()
		}
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			r.code = exit.ExitCode()
		} else if err != nil {
			r.output.WriteString(err.Error())
			r.code = -1
		}
	}()
}

func (r *running) wait() (string, int) {
	<-r.done
	return r.output.String(), r.code
}

func (r *running) over() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// want runs compose, which must end with the status.
func (p *project) want(t *testing.T, code int, args ...string) string {
	t.Helper()
	out, got := p.run(args...)
	if got != code {
		t.Fatalf("compose %s: exit status %d, want %d\n%s", strings.Join(args, " "), got, code, out)
	}
	return out
}

// testProfile is what another project's CI runs.
var testProfile = []string{"--profile", "test", "up", "--exit-code-from", "test", "--timeout", "2"}

// lastSaid is the last line of the output that a service's container printed, without
// the name in front.
func lastSaid(out, service string) string {
	last := ""
	for line := range strings.Lines(out) {
		name, said, ok := strings.Cut(line, "| ")
		if ok && strings.HasPrefix(strings.ReplaceAll(name, "-", "_"), service+"_1 ") && strings.TrimSpace(said) != "" {
			last = strings.TrimSpace(said)
		}
	}
	return last
}

// volume is a volume's directory on this machine.
func (p *project) volume(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(p.must(t, "volume", "inspect", "--format={{.Mountpoint}}", p.name+"_"+name))
}

// container is the ID of a service's container.
func (p *project) container(t *testing.T, service string) string {
	t.Helper()
	id := strings.TrimSpace(p.must(t, "ps", "--all", "--quiet",
		"--filter=label=com.docker.compose.project="+p.name, "--filter=label=com.docker.compose.service="+service,
		"--filter=label=com.docker.compose.oneoff=False"))
	if id == "" || strings.Contains(id, "\n") {
		t.Fatalf("containers of %s: %q, want one", service, id)
	}
	return id
}

func (p *project) inspect(t *testing.T, id, field string) string {
	t.Helper()
	return strings.TrimSpace(p.must(t, "inspect", "--format={{"+field+"}}", id))
}

// kill ends a container's first process as a crash would.
func (p *project) kill(t *testing.T, service string) {
	t.Helper()
	pid, err := strconv.Atoi(p.inspect(t, p.container(t, service), ".State.Pid"))
	if err == nil && pid > 0 {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		t.Fatalf("kill %s: %v", service, err)
	}
}

// count is the number of files below a directory of a volume whose path matches.
func count(t *testing.T, pattern string) int {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// waitFor polls until done says so.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	testenv.Until(t, patience, what, done)
}
