package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/rclone-gateway/rclone-gateway/internal/docgen"
)

// exitCode is a process's exit status. The codes mean the same in every applet.
type exitCode int

const (
	exitOK          exitCode = 0
	exitFailed      exitCode = 1
	exitUsage       exitCode = 2
	exitBusy        exitCode = 3
	exitPartial     exitCode = 4
	exitUnreachable exitCode = 5
	exitFull        exitCode = 6
	exitForbidden   exitCode = 7
	exitRedis       exitCode = 8
	exitNotFound    exitCode = 9
	exitInvalid     exitCode = 10
	exitLocked      exitCode = 11
	exitPassword    exitCode = 12
	exitKeyExists   exitCode = 13
	exitBadDump     exitCode = 14
	exitConflict    exitCode = 15
	exitIncomplete  exitCode = 16
	exitSignal      exitCode = 128
)

// exitMeaning is the text of the EXIT STATUS sections.
var exitMeaning = map[exitCode]string{
	exitOK:          "success",
	exitFailed:      "failure; the message says what failed",
	exitUsage:       "wrong command line, environment or schedule",
	exitBusy:        "another run of the same for this module is going on",
	exitPartial:     "the snapshot was made, but some files could not be read; they are listed on stderr",
	exitUnreachable: "the gateway or the destination cannot be reached",
	exitFull:        "the quota is reached, or the storage, the disk or the memory of Redis is full",
	exitForbidden:   "permission denied",
	exitRedis:       "Redis cannot be reached or refuses the credentials",
	exitNotFound:    "there is no such destination, module, repository, snapshot, file or key",
	exitInvalid:     "the input is not valid; the errors are on stdout, in the form of the agent",
	exitLocked:      "the repository is locked by another process",
	exitPassword:    "the repository does not open with the destination's password",
	exitKeyExists:   "the key exists already, and --replace was not given",
	exitBadDump:     "the dump is damaged, or was written by a newer Redis",
	exitConflict:    "it exists already, is in use, or was changed at the same moment",
	exitIncomplete:  "less was saved than was asked for; what is missing is listed on stderr (never with NethServer 8)",
	exitSignal:      "128 plus the number of the signal that ended it",
}

// exitStatus returns the annotation from which the help text of a command takes
// its EXIT STATUS section.
func exitStatus(codes ...exitCode) map[string]string {
	lines := make([]string, len(codes))
	for i, c := range codes {
		number := strconv.Itoa(int(c))
		if c == exitSignal {
			number = "128+"
		}
		lines[i] = fmt.Sprintf("  %-5s %s", number, exitMeaning[c])
	}
	return map[string]string{docgen.ExitStatusAnnotation: strings.Join(lines, "\n")}
}

// codedError is an error that knows the exit status it leads to.
type codedError struct {
	code exitCode
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// withCode makes err end the process with code. An outer code wins over an inner
// one; nil stays nil.
func withCode(code exitCode, err error) error {
	if err == nil {
		return nil
	}
	return &codedError{code, err}
}

// failf returns an error that leads to code.
func failf(code exitCode, format string, args ...any) error {
	return &codedError{code, fmt.Errorf(format, args...)}
}

// silentExit ends the process with a status of another process, which has told
// its error already.
type silentExit exitCode

func (e silentExit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// isSilent reports whether err has been told to the user already.
func isSilent(err error) bool {
	_, ok := errors.AsType[silentExit](err)
	return ok
}

// exitCodeOf tells the exit status for err. After a signal it is that of the
// signal, whatever the interrupted work said.
func exitCodeOf(ctx context.Context, err error) int {
	if sig, ok := errors.AsType[signalError](context.Cause(ctx)); ok {
		return int(exitSignal) + int(sig.Signal)
	}
	if silent, ok := errors.AsType[silentExit](err); ok {
		return int(silent)
	}
	if coded, ok := errors.AsType[*codedError](err); ok {
		return int(coded.code)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return int(exitFull)
	}
	return int(exitFailed)
}

// signalError is the cause of a context that a signal cancelled.
type signalError struct{ syscall.Signal }

func (e signalError) Error() string { return "interrupted by signal: " + e.String() }

// cancelOnSignal returns a context that SIGINT, SIGTERM or SIGHUP cancels, with a
// [signalError] as its cause. Further signals change nothing: what runs gets the
// time it needs to clean up.
func cancelOnSignal(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		select {
		case sig := <-signals:
			if s, ok := sig.(syscall.Signal); ok {
				cancel(signalError{s})
			}
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(context.Canceled)
	}
}
