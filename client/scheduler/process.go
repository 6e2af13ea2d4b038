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

// endPatience is how long a run that is told to end may take: restic has its lock to
// remove.
const endPatience = 2 * time.Minute

// Process starts runs as processes of this program, as a timer of systemd does.
type Process struct {
	// Command makes a command of this program.
	Command func(ctx context.Context, args ...string) (*exec.Cmd, error)
	// Output is where what they say goes.
	Output io.Writer
	// Dir is the directory of the node for what runs must remember.
	Dir string
}

// Run is for [Engine.Start]. When ctx ends the process is told to end (SIGTERM).
func (p Process) Run(ctx context.Context, planned Planned, at time.Time) Result {
	return p.run(ctx, "--backup", planned.ID, "--planned", at.UTC().Format(time.RFC3339))
}

// Now runs a schedule that was not planned for now.
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
	// Without its scheduler it ends: the next one begins it again, and goes on where it was.
	cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	err = restic.RunOnOneThread(cmd, nil)
	return resultOf(err, cmd.ProcessState)
}

// resultOf tells a run that has told its outcome from one that could not.
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
