package compose

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/docpage"
)

const (
	guidePage = "docs/compose.md"
	here      = "integration/compose"
)

// guide has the commands of docs/compose.md, which the tests run as they stand there.
type guide struct {
	page                                                    docpage.Page
	demo, keep, schedules, export, add, check, fill, images docpage.Block
}

func readGuide(t *testing.T) guide {
	t.Helper()
	page, err := docpage.Read("../..", guidePage)
	if err != nil {
		t.Fatal(err)
	}
	g := guide{page: page}
	all := []*docpage.Block{&g.demo, &g.keep, &g.schedules, &g.export, &g.add, &g.check, &g.fill, &g.images}
	blocks := page.LeftTo(here)
	if len(blocks) != len(all) {
		t.Fatalf("%s leaves %d blocks to these tests, which run %d", guidePage, len(blocks), len(all))
	}
	for i, block := range blocks {
		*all[i] = block
	}
	return g
}

// runBlock runs commands of the guide in the project's directory and returns what
// they print, first to stdout, then to stderr. They must succeed.
func (p *project) runBlock(t *testing.T, block docpage.Block) string {
	t.Helper()
	out, code := p.startBlock(t, block).wait()
	if code != 0 {
		t.Fatalf("%s:%d: exit status %d\n%s", guidePage, block.Line, code, out)
	}
	return out
}

func (p *project) startBlock(t *testing.T, block docpage.Block) *running {
	t.Helper()
	dir := t.TempDir()
	page := docpage.Page{Name: guidePage, Blocks: []docpage.Block{block}}
	ctx, cancel := context.WithTimeout(t.Context(), buildTime)
	cmd := p.shell(ctx, "bash", docpage.Prologue+page.Script(here, dir))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	r := &running{process: cmd, prints: dir}
	r.begin(func() {
		cancel()
		text, err := printed(dir)
		r.output.WriteString(text)
		if err == nil && r.code == 0 {
			err = page.CheckOutputs(here, dir)
		}
		if err != nil {
			r.code = -1
			r.output.WriteString(err.Error())
		}
		r.output.Write(stderr.Bytes())
	})
	return r
}

// said is what a block has printed to stdout so far.
func (r *running) said(t *testing.T) string {
	t.Helper()
	text, err := printed(r.prints)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// printed is what the script of a block has written to files, which hold what the block
// prints.
func printed(dir string) (string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.out"))
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		all.Write(text)
	}
	return all.String(), nil
}

// interrupt is Ctrl-C for what runBlock and startBlock run.
func (r *running) interrupt(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(-r.process.Process.Pid, syscall.SIGINT); err != nil {
		t.Error(err)
	}
}

// shell runs a script as somebody would who has Docker and Compose 2.
func (p *project) shell(ctx context.Context, shell, script string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, shell, "-c", script)
	cmd.Dir = p.dir
	cmd.Env = p.environ(append(slices.Concat(composeEnv, p.own, p.env), "COMPOSE="+p.compose, "COMPOSE_PROJECT_NAME="+p.name)...)
	path := slices.IndexFunc(cmd.Env, func(assignment string) bool { return strings.HasPrefix(assignment, "PATH=/usr/bin") })
	cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(p.socket)+"/bin:"+strings.TrimPrefix(cmd.Env[path], "PATH="))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = patience
	return cmd
}

// dockerCommand is the docker of those scripts. Its compose is the one of the tests;
// docker-compose 1.29 has no --wait. Its builds get Go's modules from the tests.
const dockerCommand = `#!/bin/bash
case $1 in
compose) shift ;;
build) exec /usr/bin/docker build "--build-arg=GOPROXY=$GOPROXY" "${@:2}" ;;
*) exec /usr/bin/docker "$@" ;;
esac
if [[ " $* " != *" --wait "* || $("$COMPOSE" version --short) != 1.* ]]; then
  exec "$COMPOSE" --ansi=never "$@"
fi
for word; do
  shift
  [[ $word == --wait ]] || set -- "$@" "$word"
done
"$COMPOSE" --ansi=never "$@" || exit
health() { /usr/bin/docker ps --quiet "--filter=label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" "--filter=health=$1"; }
for ((try = 0; try < 1800; try++)); do
  [[ -z $(health unhealthy) ]] || exit 1
  [[ -n $(health starting) ]] || exit 0
  sleep 0.2
done
exit 1
`

// notInGit is what git would not bring along.
var notInGit = []string{".git", ".cache", "bin", "dist", ".env"}

// checkout is a copy of the project's directory, for those who change something in it.
func checkout(t *testing.T, e *engine) string {
	t.Helper()
	dir := filepath.Join(worldReadable(t), "gateway")
	copyTree(t, e.root, dir, notInGit...)
	return dir
}

// worldReadable is a directory that the users of containers can read.
func worldReadable(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, parent := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(parent, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func copyTree(t *testing.T, from, to string, without ...string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(from), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if slices.Contains(without, name) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		target := filepath.Join(to, name)
		info, err := entry.Info()
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return os.MkdirAll(target, info.Mode().Perm())
		case !info.Mode().IsRegular():
			return nil
		}
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		return os.WriteFile(target, text, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
}
