package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// hookGrace is the time a module's command has to end after SIGTERM.
const hookGrace = 30 * time.Second

// findHook looks on the search path for a module's command. It returns "" when
// there is none that can be run, and then what is wrong with one that cannot.
func findHook(searchPath, name string) (found, unusable string) {
	for _, dir := range filepath.SplitList(searchPath) {
		if !filepath.IsAbs(dir) {
			continue
		}
		candidate := filepath.Join(dir, name)
		if wrong := unusableProgram(candidate); wrong == "" {
			return candidate, ""
		} else if _, err := os.Lstat(candidate); err == nil {
			unusable = wrong
		}
	}
	return "", unusable
}

// unusableProgram tells why a file cannot be run, or returns "".
func unusableProgram(name string) string {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return "is a link that leads nowhere"
	case !info.Mode().IsRegular():
		return "is not a file"
	case info.Mode().Perm()&0o111 == 0:
		return "is not executable (chmod a+x)"
	default:
		return ""
	}
}

// runModuleCommand runs a command of a module in a process group of its own. When
// cmd's context is cancelled, the command and its children get SIGTERM and
// cmd.WaitDelay to end. When we are killed the command itself gets SIGTERM.
func runModuleCommand(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	return explainStart(restic.RunOnOneThread(cmd, nil))
}

// explainStart says of a script that cannot be started what the kernel only hints at.
func explainStart(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); !ok || failed.Op != "fork/exec" {
		return err
	}
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%w: is its first line #!PROGRAM, with a program that exists and without a carriage return?", err)
	case errors.Is(err, unix.ENOEXEC):
		return fmt.Errorf("%w: a script's first line must be #!PROGRAM, such as #!/bin/bash", err)
	default:
		return err
	}
}

// runHook runs a module's command from PATH in the state directory, if the module
// has it. What it prints goes to stderr. When ctx is cancelled the command and
// its children get SIGTERM and a time to end.
func (s *system) runHook(ctx context.Context, stateDir, name string, args ...string) error {
	searchPath, _ := s.env.lookup("PATH")
	path, unusable := findHook(searchPath, name)
	if path == "" {
		if unusable != "" {
			s.warnf("%s is not run: it %s", name, unusable)
		}
		return nil
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = stateDir
	cmd.Stdout, cmd.Stderr = s.stderr, s.stderr
	cmd.WaitDelay = hookGrace
	err := runModuleCommand(cmd)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, exec.ErrWaitDelay):
		return nil
	default:
		return fmt.Errorf("%s failed: %w", path, err)
	}
}
