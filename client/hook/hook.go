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

// When says when hooks run: the name of their directory.
type When string

// The times.
const (
	Before  When = "before"
	After   When = "after" // whatever the outcome
	Failure When = "failure"
)

// grace is how long a hook may take to end after SIGTERM.
const grace = 10 * time.Second

// Hooks are the hooks of a node.
type Hooks struct {
	Dir   string
	Limit time.Duration
	// Output receives the hooks' output, each line after the hook's name.
	Output io.Writer
}

// Result says how a hook ended.
type Result struct {
	// Path is the hook's file.
	Path string
	// Err says what went wrong. It is safe to show.
	Err error
}

// Run runs the hooks for a time, with facts in their environment. After a failure it
// continues with the next hook, except before a run.
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

// programs returns the programs in a directory, in order. Hidden files and documentation
// are left out.
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

// one runs a program, and kills its process group when it has ended.
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
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // processes that ignored SIGTERM
	}
	lines.Flush()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it succeeded and left a child process behind
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("it did not end within %v, and was ended", h.Limit)
	case out.last != "":
		return fmt.Errorf("%w: %s", err, out.last)
	}
	return err
}

// longestValue bounds a fact. A list of hundreds of modules fits.
const longestValue = 32 << 10

// environment returns the whole environment of a hook.
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

// output copies a hook's output, and remembers the last line.
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
