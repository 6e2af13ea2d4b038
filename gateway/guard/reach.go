package guard

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// Hysteresis is whether something answers, slow to change its mind: that many
// questions in a row must say otherwise. The zero value answers.
type Hysteresis struct {
	mu     sync.Mutex
	down   bool
	streak int // answers in a row against the state
}

const (
	rise = 2
	fall = 2
)

// Up reports the state.
func (h *Hysteresis) Up() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.down
}

// Probed learns what a question found, and reports whether that changed the state.
func (h *Hysteresis) Probed(ok bool) (changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ok != h.down {
		h.streak = 0
		return false
	}
	h.streak++
	if limit := map[bool]int{true: rise, false: fall}[ok]; h.streak < limit {
		return false
	}
	h.down, h.streak = !ok, 0
	return true
}

// Set changes the state at once, and reports whether it was another one.
func (h *Hysteresis) Set(up bool) (changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed = h.down == up
	h.down, h.streak = !up, 0
	return changed
}

// reach is whether this node reaches the storage.
type reach struct {
	hysteresis Hysteresis
	// lost is the same, for whoever may not wait.
	lost atomic.Bool
}

// Reached reports whether this node reaches the storage, as far as is known. A
// storage that answers is reached, whatever it says; so is one that was never asked.
func (g *Guard) Reached() bool { return !g.reach.lost.Load() }

// Ended learns how a request at the storage has ended. One error that says that it
// was not reached is enough.
func (g *Guard) Ended(ctx context.Context, err error) {
	switch {
	case judge(ctx, err) == refusal.Answered:
		if g.reach.lost.Load() {
			g.reach.hysteresis.Set(true)
			g.reach.lost.Store(false)
		}
	case ctx.Err() == nil && notReached(err):
		g.reach.hysteresis.Set(false)
		g.reach.lost.Store(true)
	}
}

// Suspect reports whether the storage is worth a question: it is not reached, or the
// last operation says so.
func (g *Guard) Suspect() bool {
	return !g.Reached() || g.health.state.Load() == stateFails && g.health.unreached.Load()
}

// Probed learns what a question to the storage found that no request asked.
func (g *Guard) Probed(ctx context.Context, err error) {
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return
	}
	g.health.note(context.WithoutCancel(ctx), err)
	reached := !notReached(err)
	if g.reach.hysteresis.Probed(reached) {
		g.reach.lost.Store(!reached)
	}
	if refusal.OutcomeOf(err) == refusal.Answered && !g.local {
		g.breaker.leave(false, refusal.Answered, nil)
	}
}

// notReached reports whether an error of a storage says that it did not answer.
func notReached(err error) bool {
	if refusal.OutcomeOf(err) != refusal.Failed {
		return false
	}
	class := refusal.ClassOf(err)
	return class == refusal.Unavailable || class == refusal.Timeout
}
