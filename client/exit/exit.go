package exit

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

// Code is a process's exit status. The codes mean the same in every applet.
type Code int

// The exit statuses; Code's text in help says what each means.
const (
	OK          Code = 0
	Failed      Code = 1
	Usage       Code = 2
	Busy        Code = 3
	Partial     Code = 4
	Unreachable Code = 5
	Full        Code = 6
	Forbidden   Code = 7
	Redis       Code = 8
	NotFound    Code = 9
	Invalid     Code = 10
	Locked      Code = 11
	Password    Code = 12
	KeyExists   Code = 13
	BadDump     Code = 14
	Conflict    Code = 15
	Incomplete  Code = 16
	Disabled    Code = 17

	NotRestorable Code = 20
	NotTried      Code = 21

	Signal Code = 128
)

// meaning is the text of the EXIT STATUS sections.
var meaning = map[Code]string{
	OK:            "success",
	Failed:        "failure; the message says what failed",
	Usage:         "wrong command line, environment or schedule",
	Busy:          "another run of the same for this module is going on",
	Partial:       "the snapshot was made, but some files could not be read; they are listed on stderr",
	Unreachable:   "the gateway or the destination cannot be reached",
	Full:          "the quota is reached, or the storage, the disk or the memory of Redis is full",
	Forbidden:     "permission denied",
	Redis:         "Redis cannot be reached or refuses the credentials",
	NotFound:      "there is no such destination, module, repository, snapshot, file or key",
	Invalid:       "the input is not valid; the errors are on stdout, in the form of the agent",
	Locked:        "the repository is locked by another process",
	Password:      "the repository does not open with the destination's password",
	KeyExists:     "the key exists already, and --replace was not given",
	BadDump:       "the dump is damaged, or was written by a newer Redis",
	Conflict:      "it exists already, is in use, or was changed at the same moment",
	Incomplete:    "less was saved than was asked for; what is missing is listed on stderr (never with NethServer 8)",
	Disabled:      "nothing was run: the schedule is disabled or paused, or it is its quiet hours",
	NotRestorable: "it was tried to restore the backup, and that failed, or what was restored is not in order",
	NotTried:      "it could not be tried whether the backup is restorable; the message says what hindered it",
	Signal:        "128 plus the number of the signal that ended it",
}

// Status returns the annotation that becomes the EXIT STATUS section of a command's help.
func Status(codes ...Code) map[string]string {
	lines := make([]string, len(codes))
	for i, c := range codes {
		number := strconv.Itoa(int(c))
		if c == Signal {
			number = "128+"
		}
		lines[i] = fmt.Sprintf("  %-5s %s", number, meaning[c])
	}
	return map[string]string{docgen.ExitStatusAnnotation: strings.Join(lines, "\n")}
}

// Error is an error with an exit status.
type Error struct {
	Code Code
	err  error
}

func (e *Error) Error() string { return e.err.Error() }
func (e *Error) Unwrap() error { return e.err }

// With gives err an exit status. An outer status wins over an inner one; nil stays nil.
func With(code Code, err error) error {
	if err == nil {
		return nil
	}
	return &Error{code, err}
}

// Failf returns an error that leads to code.
func Failf(code Code, format string, args ...any) error {
	return &Error{code, fmt.Errorf(format, args...)}
}

// Silent returns an error that ends the process with the status of another process, which
// has already printed its error.
type Silent Code

func (e Silent) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// IsSilent reports whether the user has already seen err.
func IsSilent(err error) bool {
	_, ok := errors.AsType[Silent](err)
	return ok
}

// CodeOf returns the exit status for err. After a signal it is the signal's, whatever error
// the interrupted work returned.
func CodeOf(ctx context.Context, err error) int {
	if sig, ok := errors.AsType[SignalError](context.Cause(ctx)); ok {
		return int(Signal) + int(sig.Signal)
	}
	if silent, ok := errors.AsType[Silent](err); ok {
		return int(silent)
	}
	if coded, ok := errors.AsType[*Error](err); ok {
		return int(coded.Code)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return int(Full)
	}
	return int(Failed)
}

// SignalError is the cause of a context that a signal cancelled.
type SignalError struct{ syscall.Signal }

func (e SignalError) Error() string { return "interrupted by signal: " + e.String() }

// CancelOnSignal returns a context that SIGINT, SIGTERM or SIGHUP cancels, with a
// [SignalError] as its cause. Further signals are ignored, so that running work has the
// time to clean up.
func CancelOnSignal(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		select {
		case sig := <-signals:
			if s, ok := sig.(syscall.Signal); ok {
				cancel(SignalError{s})
			}
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(context.Canceled)
	}
}
