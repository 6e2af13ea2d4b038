package guard

import (
	"log/slog"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Guard is what is known of one destination and holds for all its requests. It
// outlives the stores that it guards: a destination that is opened again keeps its
// counts, its limits and its circuit breaker.
type Guard struct {
	local   bool
	breaker *breaker
	limits  *limits
	usage   *usage
	health  health
	reach   reach
	rates   rates
	traffic traffic
}

// New returns a Guard without limits. A local destination answers at once, and is
// there again at once: it gets neither retries nor a circuit breaker.
func New(dest string, local bool, log *slog.Logger) *Guard {
	return &Guard{
		local:   local,
		breaker: newBreaker(dest, log),
		limits:  newLimits(),
		usage:   &usage{dest: dest, log: log, modules: make(map[string]*tally)},
	}
}

// Around returns what requests see of an open store.
func (g *Guard) Around(backend storage.Store) storage.Store {
	var kept func() int64
	if k, ok := backend.(keeper); ok {
		kept = k.Kept
	}
	backend = &noted{store: backend, health: &g.health}
	if !g.local {
		backend = &resilient{store: backend, breaker: g.breaker}
	}
	return &quotas{
		Store:   &limited{store: backend, limits: g.limits},
		beneath: backend,
		limits:  g.limits,
		usage:   g.usage,
		kept:    kept,
	}
}

// keeper is a store that keeps what is deleted, and says how many bytes of it.
type keeper interface{ Kept() int64 }

// SetLimits puts other limits in force, for requests under way too.
func (g *Guard) SetLimits(to catalog.Limits) { g.limits.set(to) }

// Limits returns the limits in force.
func (g *Guard) Limits() catalog.Limits { return *g.limits.current.Load() }

// NotOpened learns that the store could not be opened.
func (g *Guard) NotOpened(err error) { g.health.fail(refusal.ClassOf(err)) }

// BrokeOff learns that a body broke off in the middle, which no attempt shows.
func (g *Guard) BrokeOff() { g.health.fail(refusal.BrokenOff) }

// SavedSnapshot learns that a backup was completed.
func (g *Guard) SavedSnapshot() {
	g.health.snapshots.Add(1)
	g.health.latest.Store(time.Now().Unix())
}

// Stored returns how many bytes the destination holds, where a quota made the
// gateway count.
func (g *Guard) Stored() (bytes int64, counted bool) { return g.usage.counted() }

// Works reports whether the last operation worked.
func (g *Guard) Works() bool { return g.health.state.Load() == stateWorks }

// Report is what a Guard knows of its destination.
type Report struct {
	// Used is false before the first operation. Works is what the last one did.
	Used, Works bool
	// Errors are the failures by class, each attempt counted.
	Errors [refusal.NumClasses]uint64
	// Snapshots were saved, the last one at Latest.
	Snapshots uint64
	Latest    time.Time
	// Breaker is "" for a destination that has none.
	Breaker string
}

// BreakerStates are all that a Report's Breaker can be.
func BreakerStates() []string { return breakerStates[:] }

// Report returns the state of this moment.
func (g *Guard) Report() Report {
	state := g.health.state.Load()
	r := Report{Used: state != 0, Works: state == stateWorks, Snapshots: g.health.snapshots.Load()}
	for class := range r.Errors {
		r.Errors[class] = g.health.errors[class].Load()
	}
	if latest := g.health.latest.Load(); latest > 0 {
		r.Latest = time.Unix(latest, 0)
	}
	if !g.local {
		r.Breaker = breakerStates[g.breaker.state()]
	}
	return r
}
