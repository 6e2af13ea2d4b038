package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/runner"
)

// When is when hooks run: the directory they are in.
type When string

// The times.
const (
	Before  When = "before"
	After   When = "after" // whatever the run came to
	Failure When = "failure"
)

// grace is how long a hook may take to end when it is asked to.
const grace = 10 * time.Second

// Hooks are those of a node.
type Hooks struct {
	Dir   string
	Limit time.Duration
	// Output is where what they say goes, with their names before it.
	Output io.Writer
}

// Result is how a hook ended.
type Result struct {
	// Path is its file.
	Path string
	// Err says what went wrong: fit to be shown.
	Err error
}

// Run runs the hooks of a time, with facts in their environment. One that fails is not the
// end of the others, unless it is before a run.
func (h *Hooks) Run(ctx context.Context, when When, facts map[string]string) []Result {
	dir := filepath.Join(h.Dir, string(when))
	programs, err := h.programs(dir)
	if err != nil {
		return []Result{{dir, err}}
	}
	var results []Result
	for _, p := range programs {
		r := Result{Path: p, Err: h.one(ctx, p, when, facts)}
		results = append(results, r)
		if r.Err != nil && when == Before || ctx.Err() != nil {
			return results
		}
	}
	return results
}

// programs are the files of a directory that are to be run, in order. What is hidden, or a
// note for people, is not.
func (h *Hooks) programs(dir string) ([]string, error) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = runner.CheckOwner(dir, info)
	}
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var programs []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || filepath.Ext(name) == ".md" {
			continue
		}
		programs = append(programs, filepath.Join(dir, name))
	}
	return programs, nil
}

// one runs a program. Its group goes with it, whatever it has started.
func (h *Hooks) one(ctx context.Context, path string, when When, facts map[string]string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := runner.CheckOwner(path, info); err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o100 == 0 {
		return fmt.Errorf("it is not a program: make it one (chmod +x %s), or move it away", path)
	}
	ctx, cancel := context.WithTimeout(ctx, h.Limit)
	defer cancel()
	out := &output{name: filepath.Base(path), to: h.Output}
	lines := restic.NewLines(out.line)
	cmd := exec.CommandContext(ctx, path)
	cmd.Env, cmd.Dir = environment(when, facts), "/"
	cmd.Stdout, cmd.Stderr = lines, lines
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	err = cmd.Run()
	if cmd.Process != nil && ctx.Err() != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what has not heard
	}
	lines.Flush()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it has left a child, and succeeded
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("it did not end within %v, and was ended", h.Limit)
	case out.last != "":
		return fmt.Errorf("%w: %s", err, out.last)
	}
	return err
}

// longestValue bounds a fact: a list of hundreds of modules is one of them.
const longestValue = 32 << 10

// environment is all that a hook gets.
func environment(when When, facts map[string]string) []string {
	env := []string{"BACKUP_HOOK=" + string(when)}
	for _, name := range []string{"PATH", "HOME", "LANG", "TZ"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for name, value := range facts {
		value = host.Printable(value)
		env = append(env, name+"="+strings.ToValidUTF8(value[:min(len(value), longestValue)], ""))
	}
	return env
}

// output passes on what a hook says, and keeps the last line.
type output struct {
	name, last string
	to         io.Writer
}

func (o *output) line(line []byte) {
	const most = 300
	text := string(bytes.TrimSpace(line))
	if text == "" {
		return
	}
	o.last = host.Printable(text[:min(len(text), most)])
	_, _ = io.WriteString(o.to, o.name+": "+text+"\n")
}
