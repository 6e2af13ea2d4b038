package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// hookGrace is the time that a module's command has to end after SIGTERM.
const hookGrace = 30 * time.Second

// The module's commands that a backup runs.
const (
	DumpHook    = "module-dump-state"
	CleanUpHook = "module-cleanup-state"
)

// Hook is a command of a module.
type Hook struct {
	name string
	Path string // "" if there is no executable program
	// Unusable says, for each file that seems to be meant as the command, why it cannot
	// run.
	Unusable []string
}

// findHook finds a module's command as NethServer 8's agent does, on the module's search
// path. If it cannot be found, a file in bin with a similar name is reported as a mistake.
func findHook(searchPath, bin, name string) Hook {
	hook := Hook{name: name}
	for _, dir := range filepath.SplitList(searchPath) {
		if !filepath.IsAbs(dir) {
			continue
		}
		candidate := filepath.Join(dir, name)
		if wrong := UnusableProgram(candidate); wrong == "" {
			hook.Path = candidate
			return hook
		} else if _, err := os.Lstat(candidate); err == nil {
			hook.Unusable = append(hook.Unusable, fmt.Sprintf("%s is not run: it %s", candidate, wrong))
		}
	}
	if len(hook.Unusable) == 0 {
		hook.Unusable = misnamedHooks(bin, name)
	}
	return hook
}

// misnamedHooks returns files in bin with a name similar to name.
func misnamedHooks(bin, name string) []string {
	entries, _ := os.ReadDir(bin) // most modules have none
	var found []string
	for _, entry := range entries {
		stem := strings.TrimSuffix(entry.Name(), filepath.Ext(entry.Name()))
		if entry.Name() == name || strings.ReplaceAll(stem, "_", "-") != name {
			continue
		}
		switch filepath.Ext(entry.Name()) {
		case "", ".sh", ".bash", ".py", ".pl", ".rb":
			found = append(found, fmt.Sprintf("%s is not run: its name must be %s", filepath.Join(bin, entry.Name()), name))
		}
	}
	return found
}

// moduleSearchPath returns the PATH for a module's programs: its own bin first, as in the
// environment that NethServer 8 sets, unless path contains it.
func moduleSearchPath(path, installDir string) string {
	bin := filepath.Join(installDir, "bin")
	if installDir == "" || slices.Contains(filepath.SplitList(path), bin) {
		return path
	}
	if path == "" {
		return bin
	}
	return bin + string(os.PathListSeparator) + path
}

// UnusableProgram says why a file cannot be executed; "" if it can.
func UnusableProgram(name string) string {
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

// RunModuleCommand runs a command of a module in its own process group. When cmd's context
// is cancelled, the command and its children get SIGTERM, and cmd.WaitDelay to end. If we
// are killed, the command itself gets SIGTERM.
func RunModuleCommand(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	return explainStart(restic.RunOnOneThread(cmd, nil))
}

// explainStart explains why a script cannot be started, which the kernel's error does not.
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

// HookOf finds a command of the module with this environment.
func HookOf(e *host.Environment, name string) Hook {
	path, _ := e.Lookup("PATH")
	installDir, _ := e.InstallDir() // without one only PATH counts
	return findHook(moduleSearchPath(path, installDir), filepath.Join(installDir, "bin"), name)
}

// RunHook runs a module's command, if it exists, in the state directory. Its output goes to
// stderr. When ctx is cancelled, the command and its children get SIGTERM and time to end.
func RunHook(ctx context.Context, s *host.System, hook Hook, stateDir string, args ...string) error {
	for _, wrong := range hook.Unusable {
		s.Warnf("%s", wrong)
	}
	if hook.Path == "" {
		return nil
	}
	path, _ := s.Env.Lookup("PATH")
	installDir, _ := s.Env.InstallDir()
	cmd := exec.CommandContext(ctx, hook.Path, args...)
	cmd.Dir = stateDir
	cmd.Env = append(os.Environ(), "PATH="+moduleSearchPath(path, installDir))
	cmd.Stdout, cmd.Stderr = s.Stderr, s.Stderr
	cmd.WaitDelay = hookGrace
	err := RunModuleCommand(cmd)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, exec.ErrWaitDelay):
		return nil
	default:
		return fmt.Errorf("%s failed: %w", hook.Path, err)
	}
}
