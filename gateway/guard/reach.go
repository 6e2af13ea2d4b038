package guard

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// Hysteresis is the state of something that is probed: it changes after several equal
// results in a row. The zero value is up.
type Hysteresis struct {
	mu     sync.Mutex
	down   bool
	streak int // results in a row against the state
}

const (
	rise = 2
	fall = 2
)

// Up returns the state.
func (h *Hysteresis) Up() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.down
}

// Probed records the result of a probe, and reports whether that changed the state.
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

// Set sets the state, and reports whether that changed it.
func (h *Hysteresis) Set(up bool) (changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed = h.down == up
	h.down, h.streak = !up, 0
	return changed
}

// reach records whether this node reaches the storage.
type reach struct {
	hysteresis Hysteresis
	// lost is the same, for readers that must not wait.
	lost atomic.Bool
}

// Reached reports whether this node reaches the storage, as far as is known. Any answer
// counts, even an error; a storage that was never asked counts as reached.
func (g *Guard) Reached() bool { return !g.reach.lost.Load() }

// Ended records the result of a request to the storage. A single failure to reach it is
// enough.
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

// Suspect reports whether the storage should be probed: it is not reached, or the last
// operation failed to reach it.
func (g *Guard) Suspect() bool {
	return !g.Reached() || g.health.state.Load() == stateFails && g.health.unreached.Load()
}

// Probed records the result of a probe of the storage.
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

// notReached reports whether an error says that the storage did not answer.
func notReached(err error) bool {
	if refusal.OutcomeOf(err) != refusal.Failed {
		return false
	}
	class := refusal.ClassOf(err)
	return class == refusal.Unavailable || class == refusal.Timeout
}
