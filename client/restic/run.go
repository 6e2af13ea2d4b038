package restic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Grace is the time that restic has to drop its lock after a run was cancelled.
const Grace = 60 * time.Second

// Streams are the standard streams of a run. Nil ones are empty or discarded.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Run runs restic until it exits. When ctx is cancelled, restic gets SIGINT, which all of
// its versions handle, and is killed after [Grace]. If this process is killed, restic gets
// SIGINT too.
//
// If the storage is full, Run ends restic at the first answer that says so: restic before
// 0.18.1 would retry for a quarter of an hour.
//
// Restic runs in its own process group, so that a Ctrl-C on the terminal reaches it once,
// through us: a second SIGINT would kill it while it holds its lock.
//
// The error is a [*Failure], or the context's cause if the run was cancelled. Run is safe
// for concurrent use; the writers are used until it returns.
func (i Invocation) Run(ctx context.Context, streams Streams) error {
	argv := i.Argv()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = i.Environ(os.Environ())
	var started func(pid int)
	if i.Runtime == Native {
		cmd.Dir, cmd.ExtraFiles, started = i.Dir, i.Files, i.Started
	}
	var said tail
	patient := patience{lockTries: i.LockTries}
	watch := NewLines(func(line []byte) {
		if failure := patient.hopeless(line); failure != nil {
			giveUp(failure)
		}
	})
	cmd.Stdin, cmd.Stdout = streams.Stdin, streams.Stdout
	cmd.Stderr = io.MultiWriter(&said, watch)
	if streams.Stderr != nil {
		cmd.Stderr = io.MultiWriter(&said, watch, streams.Stderr)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = Grace
	if err := i.mounted(cmd); err != nil {
		return err
	}

	err := RunOnOneThread(cmd, started)
	if i.Runtime != Native && (killed(cmd) || ctx.Err() != nil) {
		i.stopContainer(ctx)
	}
	return i.explain(ctx, err, said.String())
}

// RunOnOneThread runs cmd, and keeps its parent thread alive meanwhile: the kernel sends
// the parent-death signal when that thread ends. started, if not nil, gets the process ID.
func RunOnOneThread(cmd *exec.Cmd, started func(pid int)) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			if started != nil {
				started(cmd.Process.Pid)
			}
			err = cmd.Wait()
		}
		done <- err
	}()
	return <-done
}

func killed(cmd *exec.Cmd) bool {
	if cmd.ProcessState == nil {
		return false
	}
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}

// stopContainer stops a container that a killed or interrupted podman may have left. It
// ignores errors: usually the container is already gone.
func (i Invocation) stopContainer(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*Grace)
	defer cancel()
	seconds := fmt.Sprintf("--time=%d", int(Grace.Seconds()))
	_ = exec.CommandContext(ctx, "podman", "stop", "--ignore", seconds, i.Name).Run()
	_ = exec.CommandContext(ctx, "podman", "rm", "--force", "--ignore", i.Name).Run()
}

// StopContainers stops the containers with the label, as cancelling their runs would have
// done.
func StopContainers(ctx context.Context, label string) error {
	output, err := exec.CommandContext(ctx, "podman", "ps", "--all", "--filter=label="+label, "--format={{.Names}}").Output()
	if err != nil {
		return fmt.Errorf("list the containers of earlier runs: %w", err)
	}
	for name := range strings.FieldsSeq(string(output)) {
		Invocation{Name: name}.stopContainer(ctx)
	}
	return nil
}

func (i Invocation) explain(ctx context.Context, err error, stderr string) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return classify(i.Runtime, exit.ExitCode(), stderr)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return &Failure{Reason: NoRuntime, Code: podmanNotFound, Detail: i.Argv()[0] + " is not on PATH"}
	}
	return &Failure{Reason: NoRuntime, Code: podmanNotFound, Detail: i.mountError(err).Error()}
}

// tail keeps the end of what is written to it.
type tail struct {
	buf bytes.Buffer
	cut bool
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.buf.Write(p)
	if over := t.buf.Len() - tailSize; over > 0 {
		t.buf.Next(over)
		t.cut = true
	}
	return len(p), nil
}

// String returns complete lines, unless there is only one.
func (t *tail) String() string {
	text := t.buf.String()
	if _, whole, found := strings.Cut(text, "\n"); t.cut && found && whole != "" {
		return whole
	}
	return text
}
