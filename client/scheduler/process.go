package scheduler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// endPatience is how long a run may take to end after SIGTERM: restic removes its lock.
const endPatience = 2 * time.Minute

// Process starts runs as child processes of this program, like a timer of systemd.
type Process struct {
	// Command returns a command of this program.
	Command func(ctx context.Context, args ...string) (*exec.Cmd, error)
	// Output receives the output of runs.
	Output io.Writer
	// Dir is the node's directory for the state of runs.
	Dir string
}

// Run implements [Engine.Start]. When ctx ends the process gets SIGTERM.
func (p Process) Run(ctx context.Context, planned Planned, at time.Time) Result {
	return p.run(ctx, "--backup", planned.ID, "--planned", at.UTC().Format(time.RFC3339))
}

// Now runs a schedule outside of its planned times.
func (p Process) Now(ctx context.Context, id string) Result { return p.run(ctx, "--backup", id) }

func (p Process) run(ctx context.Context, args ...string) Result {
	args = append([]string{"run-backup"}, args...)
	if p.Dir != "" {
		args = append(args, "--state-dir", p.Dir)
	}
	cmd, err := p.Command(ctx, args...)
	if err != nil {
		return Result{Err: err}
	}
	cmd.WaitDelay = endPatience
	cmd.Stdout, cmd.Stderr = p.Output, p.Output
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// It ends with its scheduler: the next scheduler starts it again, and it continues.
	cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	err = restic.RunOnOneThread(cmd, nil)
	return resultOf(err, cmd.ProcessState)
}

// resultOf distinguishes a run that reported its outcome from one that could not.
func resultOf(err error, state *os.ProcessState) Result {
	if err == nil {
		return Result{}
	}
	if _, ended := errors.AsType[*exec.ExitError](err); !ended && state == nil {
		return Result{Err: fmt.Errorf("the run cannot be started: %w", err)}
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return Result{Err: fmt.Errorf("the run was ended by signal: %s", status.Signal())}
	}
	code := state.ExitCode()
	if code > int(exit.Signal) {
		return Result{Err: fmt.Errorf("the run was ended by signal: %s", syscall.Signal(code-int(exit.Signal)))}
	}
	return Result{Status: code}
}
