package guard

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

const (
	// breakerFailures is how many operations in a row must fail, each after the
	// retries it was worth, before the circuit of a destination opens.
	breakerFailures = 5
	// breakerPause is how long the circuit stays open first; each probe that fails
	// doubles that, up to breakerLongest.
	breakerPause   = 5 * time.Second
	breakerLongest = 2 * time.Minute
)

// breaker keeps requests away from a destination that fails them all: its
// clients, who try again for a quarter of an hour, get their answer at once, and
// one of them probes the destination periodically, until it works again.
type breaker struct {
	dest string
	log  *slog.Logger

	mu       sync.Mutex
	failures int           // in a row
	pause    time.Duration // how long it stays open this time; 0: closed
	until    time.Time     // when the next probe may go
	probing  bool
}

func newBreaker(dest string, log *slog.Logger) *breaker {
	return &breaker{dest: dest, log: log}
}

// enter asks whether an operation may begin; refusal.ErrCircuitOpen says no. A probe must not
// try again within itself. After a nil error, leave must follow.
func (b *breaker) enter() (probe bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pause == 0 {
		return false, nil
	}
	if b.probing || time.Now().Before(b.until) {
		return false, refusal.ErrCircuitOpen
	}
	b.probing = true
	return true, nil
}

// leave says how an operation that entered has ended.
func (b *breaker) leave(probe bool, result refusal.Outcome, cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		b.probing = false
	}
	switch {
	case result == refusal.Answered:
		b.failures = 0
		if b.pause > 0 {
			b.pause = 0
			b.log.Info("a destination works again", "dest", b.dest)
		}
	case result == refusal.Undecided:
	case b.pause == 0:
		if b.failures++; b.failures >= breakerFailures {
			b.open(breakerPause)
			b.log.Error("a destination fails every request: circuit open, probing periodically",
				"dest", b.dest, "failures", b.failures, "err", cause, "hint", refusal.Hint(cause))
		}
	case probe:
		b.open(min(2*b.pause, breakerLongest))
		b.log.Warn("a destination failed a probe: circuit still open", "dest", b.dest, "err", cause, "hint", refusal.Hint(cause))
	}
}

// open starts a pause, with up to a half more, so that the gateways of a cluster
// do not all probe at one moment.
func (b *breaker) open(pause time.Duration) {
	b.pause = pause
	b.until = time.Now().Add(pause + rand.N(pause/2))
}

// breakerState is what a breaker does just now.
type breakerState uint8

const (
	breakerClosed breakerState = iota
	breakerOpen
	breakerHalfOpen // the next operation is a probe, or one is under way
)

var breakerStates = [...]string{breakerClosed: "closed", breakerOpen: "open", breakerHalfOpen: "half_open"}

func (b *breaker) state() breakerState {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.pause == 0:
		return breakerClosed
	case !b.probing && time.Now().Before(b.until):
		return breakerOpen
	}
	return breakerHalfOpen
}

// judge returns what the end of an operation says of the destination.
func judge(ctx context.Context, err error) refusal.Outcome {
	if _, ours := errors.AsType[callerError](err); ours || err != nil && ctx.Err() != nil {
		return refusal.Undecided
	}
	return refusal.OutcomeOf(err)
}
