package guard

import (
	"log/slog"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Guard is the state of one destination that all of its requests share. It outlives the
// stores that it guards: a destination that is reopened keeps its counts, its limits and
// its circuit breaker.
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

// New returns a Guard without limits. A local destination answers immediately, so it gets
// neither retries nor a circuit breaker.
func New(dest string, local bool, log *slog.Logger) *Guard {
	return &Guard{
		local:   local,
		breaker: newBreaker(dest, log),
		limits:  newLimits(),
		usage:   &usage{dest: dest, log: log, modules: make(map[string]*tally)},
	}
}

// Around wraps an open store in all layers.
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

// keeper is a store with a trash, whose size it knows.
type keeper interface{ Kept() int64 }

// SetLimits changes the limits, also for running requests.
func (g *Guard) SetLimits(to catalog.Limits) { g.limits.set(to) }

// Limits returns the present limits.
func (g *Guard) Limits() catalog.Limits { return *g.limits.current.Load() }

// NotOpened records that the store could not be opened.
func (g *Guard) NotOpened(err error) { g.health.fail(refusal.ClassOf(err)) }

// BrokeOff records that a response body broke off, which no attempt shows.
func (g *Guard) BrokeOff() { g.health.fail(refusal.BrokenOff) }

// SavedSnapshot records a completed backup.
func (g *Guard) SavedSnapshot() {
	g.health.snapshots.Add(1)
	g.health.latest.Store(time.Now().Unix())
}

// Stored returns the size of the destination, if a quota made the gateway count it.
func (g *Guard) Stored() (bytes int64, counted bool) { return g.usage.counted() }

// Works reports whether the last operation succeeded.
func (g *Guard) Works() bool { return g.health.state.Load() == stateWorks }

// Report is the state of a destination.
type Report struct {
	// Used is false before the first operation. Works is the result of the last one.
	Used, Works bool
	// Errors counts failures by class, including each failed attempt.
	Errors [refusal.NumClasses]uint64
	// Snapshots counts saved snapshots; Latest is the time of the last one.
	Snapshots uint64
	Latest    time.Time
	// Breaker is "" for a destination without one.
	Breaker string
}

// BreakerStates lists the values of Report.Breaker.
func BreakerStates() []string { return breakerStates[:] }

// Report returns the present state.
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
