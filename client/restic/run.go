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

// Grace is the time restic has, after a run was cancelled, to drop its lock.
const Grace = 60 * time.Second

// Streams are what a run reads and writes. Nil ones are empty or thrown away.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Run runs restic to its end. When ctx is cancelled restic gets SIGINT, which all
// its versions handle, and [Grace] to drop its lock, before it is killed. When
// this process is killed restic gets SIGINT as well.
//
// A storage that is full ends the run at the first answer that says so: restic
// before 0.18.1 would ask again for a quarter of an hour.
//
// Restic runs in a process group of its own, so that a Ctrl-C on the terminal
// reaches it once, from us: a second SIGINT would end it with its lock held.
//
// The error is a [*Failure], or the context's cause when the run was cancelled.
// Run is safe for concurrent use; the writers are used until it returns.
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

// RunOnOneThread runs cmd with its parent thread alive for as long as the process
// is: the kernel sends the parent-death signal when that thread ends. Unless it is
// nil, started is told the process ID.
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

// stopContainer ends a container that a killed or interrupted podman may have
// left. Errors are of no use: most times the container is gone already.
func (i Invocation) stopContainer(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*Grace)
	defer cancel()
	seconds := fmt.Sprintf("--time=%d", int(Grace.Seconds()))
	_ = exec.CommandContext(ctx, "podman", "stop", "--ignore", seconds, i.Name).Run()
	_ = exec.CommandContext(ctx, "podman", "rm", "--force", "--ignore", i.Name).Run()
}

// StopContainers ends the containers that carry the label, as cancelling their
// runs would have done.
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

// String returns whole lines, unless there is but one.
func (t *tail) String() string {
	text := t.buf.String()
	if _, whole, found := strings.Cut(text, "\n"); t.cut && found && whole != "" {
		return whole
	}
	return text
}
