package restic

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// relayed are the signals that are passed on to restic.
var relayed = []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2}

// Foreground runs restic as if it had replaced this process. Restic shares our terminal and
// process group, so that Ctrl-C and Ctrl-Z reach it, and gets the signals that we get. The
// error is a [*Failure]; after a signal its code is 128 plus the signal's number. When ctx
// ends, restic is interrupted; do not end ctx because of a signal, which restic gets
// anyway.
func (i Invocation) Foreground(ctx context.Context, streams Streams) error {
	argv := i.Argv()
	cmd := exec.CommandContext(context.Background(), argv[0], argv[1:]...) // signals end it
	cmd.Env = i.Environ(os.Environ())
	var said tail
	cmd.Stdin, cmd.Stdout, cmd.Stderr = streams.Stdin, streams.Stdout, io.MultiWriter(&said, streams.Stderr)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT}

	signals, ended := make(chan os.Signal, len(relayed)), make(chan struct{})
	signal.Notify(signals, relayed...)
	defer signal.Stop(signals)
	defer close(ended)
	err := RunOnOneThread(cmd, func(int) {
		go func() {
			stop := ctx.Done()
			for {
				select {
				case sig := <-signals:
					relay(cmd.Process, sig)
				case <-stop:
					_ = cmd.Process.Signal(syscall.SIGINT) // it may have exited
					stop = nil
				case <-ended:
					return
				}
			}
		}()
	})
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return &Failure{Code: 128 + int(status.Signal())}
		}
	}
	return i.explain(context.Background(), err, said.String())
}

// relay passes a signal on, unless restic already got it from the terminal: a second SIGINT
// would kill it while it holds its lock.
func relay(restic *os.Process, sig os.Signal) {
	if (sig == syscall.SIGINT || sig == syscall.SIGQUIT) && inForeground() {
		return
	}
	_ = restic.Signal(sig) // it may have exited
}

// inForeground reports whether the terminal's keys send signals to our process group.
func inForeground() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	defer func() { _ = tty.Close() }()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
