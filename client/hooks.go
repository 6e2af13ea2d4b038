package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// hookGrace is the time a module's command has to end after SIGTERM.
const hookGrace = 30 * time.Second

// findHook looks on the search path for a module's command. It returns "" when
// there is none that can be executed, and whether there is one that cannot.
func findHook(searchPath, name string) (found string, notExecutable bool) {
	for _, dir := range filepath.SplitList(searchPath) {
		if !filepath.IsAbs(dir) {
			continue
		}
		candidate := filepath.Join(dir, name)
		info, err := os.Stat(candidate)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if info.Mode().Perm()&0o111 != 0 {
			return candidate, false
		}
		notExecutable = true
	}
	return "", notExecutable
}

// runModuleCommand runs a command of a module in a process group of its own. When
// cmd's context is cancelled, the command and its children get SIGTERM and
// cmd.WaitDelay to end. When we are killed the command itself gets SIGTERM.
func runModuleCommand(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	return restic.RunOnOneThread(cmd, nil)
}

// runHook runs a module's command from PATH in the state directory, if the module
// has it. What it prints goes to stderr. When ctx is cancelled the command and
// its children get SIGTERM and a time to end.
func (s *system) runHook(ctx context.Context, stateDir, name string, args ...string) error {
	searchPath, _ := s.env.lookup("PATH")
	path, notExecutable := findHook(searchPath, name)
	if path == "" {
		if notExecutable {
			s.warnf("%s is not executable: it is not run (chmod a+x)", name)
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
