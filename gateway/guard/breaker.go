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
	// breakerFailures is how many operations in a row must fail, after their retries,
	// before the circuit of a destination opens.
	breakerFailures = 5
	// breakerPause is how long the circuit stays open at first; each failed probe doubles
	// that, up to breakerLongest.
	breakerPause   = 5 * time.Second
	breakerLongest = 2 * time.Minute
)

// breaker is the circuit breaker of a destination. While the circuit is open, clients,
// which retry for a quarter of an hour, get their answer at once, and one of them
// periodically probes the destination, until it works again.
type breaker struct {
	dest string
	log  *slog.Logger

	mu       sync.Mutex
	failures int           // in a row
	pause    time.Duration // how long the circuit is open this time; 0: closed
	until    time.Time     // when the next probe may start
	probing  bool
}

func newBreaker(dest string, log *slog.Logger) *breaker {
	return &breaker{dest: dest, log: log}
}

// enter asks whether an operation may begin; refusal.ErrCircuitOpen says no. A probe must
// not retry. After a nil error, leave must follow.
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

// leave reports the end of an operation that entered.
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

// open starts a pause, plus up to half of it at random, so that the gateways of a cluster
// do not probe at the same moment.
func (b *breaker) open(pause time.Duration) {
	b.pause = pause
	b.until = time.Now().Add(pause + rand.N(pause/2))
}

// breakerState is the state of a breaker.
type breakerState uint8

const (
	breakerClosed breakerState = iota
	breakerOpen
	breakerHalfOpen // the next operation is a probe, or a probe is running
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

// judge returns what the end of an operation says about the destination.
func judge(ctx context.Context, err error) refusal.Outcome {
	if _, ours := errors.AsType[callerError](err); ours || err != nil && ctx.Err() != nil {
		return refusal.Undecided
	}
	return refusal.OutcomeOf(err)
}
