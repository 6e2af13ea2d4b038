package wrapper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/lease"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// runResticWrapper runs restic in our place: with our signals, terminal and output, and
// restic's exit status. It adds advice to known failures.
func runResticWrapper(ctx context.Context, sys *host.System, w wrapperArgs) error {
	repository, err := wrappedRepository(ctx, sys, &w)
	if err != nil {
		return err
	}
	command, err := wrapperInvocation(ctx, sys, w)
	if err != nil {
		return err
	}
	command.Repository = repository
	command = run.LockIfWritable(ctx, sys, command)
	if left := w.wait.Left(); left > 0 && command.Version.Has(restic.RetryLockVersion) {
		command.Args = slices.Insert(slices.Clone(command.Args), 0, run.RetryLockFlag(left))
	}
	if program := command.Argv()[0]; !onPath(program) {
		return fmt.Errorf("%s is not on PATH", program)
	}
	streams := restic.Streams{Stdin: sys.Stdin, Stdout: sys.Stdout, Stderr: sys.Stderr}
	err = withLease(ctx, sys, &w.wait, repository, commandOf(w.restic), func(ctx context.Context) error {
		return w.inForeground(ctx, sys, command, streams)
	})
	return remedied(ctx, sys, repository, err)
}

// inForeground runs restic, and retries for as long as --wait says if the repository is
// locked. If its lease is lost, restic is interrupted: another process may now delete what
// it needs.
func (w *wrapperArgs) inForeground(ctx context.Context, sys *host.System, command restic.Invocation, streams restic.Streams) error {
	leased, cancel := context.WithCancel(context.WithoutCancel(ctx)) // restic gets signals by itself
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), lease.ErrLost) {
			cancel()
		}
	})()
	err := w.untilLocked(ctx, leased, sys, command, streams)
	if leased.Err() != nil && err != nil {
		return exit.Failf(exit.Locked, "stopped: %w", context.Cause(ctx))
	}
	return err
}

func (w *wrapperArgs) untilLocked(ctx, leased context.Context, sys *host.System, command restic.Invocation, streams restic.Streams) error {
	return w.wait.ForLock(ctx, sys, command, func() error {
		if w.wait.Left() == 0 || command.Version.Has(restic.RetryLockVersion) {
			return command.Foreground(leased, streams)
		}
		streams := streams
		held := &refusalHeld{Writer: sys.Stderr}
		streams.Stderr = held
		err := command.Foreground(leased, streams)
		if failure, ok := errors.AsType[*restic.Failure](err); !ok || failure.Reason != restic.Locked {
			held.tell()
		}
		return err
	})
}

func onPath(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// remedied adds advice to a failure that restic has already printed. The exit status stays.
func remedied(ctx context.Context, sys *host.System, repository restic.Repository, err error) error {
	failure, ok := errors.AsType[*restic.Failure](err)
	if !ok {
		return err
	}
	switch failure.Reason {
	case restic.Unknown, restic.Incomplete, restic.NoRuntime:
		return exit.Silent(failure.Code)
	}
	failure.Detail = "" // already on the terminal
	remedy := run.AskWhy(ctx, sys, repository, false, run.ResticError(repository, failure))
	return exit.With(exit.Code(failure.Code), remedy)
}

// refusalHeld passes on restic's stderr, but holds back everything from a message about a
// failed lock on: restic may be run again.
type refusalHeld struct {
	io.Writer

	held []byte
}

// noLock is the message of restic before 0.16, on a line of its own.
var noLock = []byte("unable to create lock")

func (h *refusalHeld) Write(p []byte) (int, error) {
	if len(h.held) == 0 {
		at := bytes.Index(p, noLock)
		if at < 0 {
			return h.Writer.Write(p)
		}
		at = bytes.LastIndexByte(p[:at], '\n') + 1
		if n, err := h.Writer.Write(p[:at]); err != nil {
			return n, err
		}
		h.held = append(h.held, p[at:]...)
		return len(p), nil
	}
	h.held = append(h.held, p...)
	return len(p), nil
}

// tell prints what was held back.
func (h *refusalHeld) tell() {
	_, _ = h.Writer.Write(h.held)
	h.held = nil
}
