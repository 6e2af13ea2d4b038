package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

const (
	// reloadPause lies between the starts of two loads, however many ask. The first
	// one after a quiet time begins at once.
	reloadPause = 200 * time.Millisecond
	// reloadShare bounds the time spent loading: after a load that took t, the
	// next one starts no sooner than reloadShare × t later, if that is less than
	// reloadPauseMax. That and a load fit into refreshTimeout.
	reloadShare    = 10
	reloadPauseMax = 5 * time.Second
	// retryPause is the interval of the attempts while there is no view at all.
	retryPause = 2 * time.Second
	// loadTimeout bounds a load from a Redis that hangs. It is shorter than
	// refreshTimeout, so that the gateway does not pass for hanging itself.
	loadTimeout = 10 * time.Second
	// refreshTimeout bounds how long a request waits for a load that it asked for.
	refreshTimeout = 15 * time.Second
)

// views holds the current view and replaces it. One goroutine, run, loads.
type views struct {
	load     func(context.Context) (*catalog.Snapshot, error)
	open     opener
	sections func(*catalog.Snapshot) // told of each new snapshot before its stores may open
	log      *slog.Logger
	interval time.Duration // between loads that nobody asked for
	maxStale time.Duration // how old a view may get while Redis is away
	changed  func(ready bool)
	loaded   func(took time.Duration, err error) // told of each load

	latest   atomic.Pointer[view]
	failing  atomic.Bool // the last load failed
	requests chan chan error
	pings    chan struct{}
}

// newViews returns views without a view; run brings the first one.
func newViews(opts Options, load func(context.Context) (*catalog.Snapshot, error)) *views {
	return &views{
		load:     load,
		sections: func(*catalog.Snapshot) {},
		log:      opts.Log,
		interval: opts.RefreshInterval,
		maxStale: opts.MaxStale,
		changed:  opts.Changed,
		loaded:   func(time.Duration, error) {},
		requests: make(chan chan error),
		pings:    make(chan struct{}),
	}
}

// current returns the view to serve from, nil where there is none that is
// young enough.
func (vs *views) current() *view {
	v := vs.latest.Load()
	if v == nil || time.Since(v.loaded) > vs.maxStale {
		return nil
	}
	return v
}

// ready tells whether the view is what Redis says now.
func (vs *views) ready() bool {
	return vs.current() != nil && !vs.failing.Load()
}

// refresh returns a view whose load began after the call. Calls that come
// together share one load.
func (vs *views) refresh(ctx context.Context) (*view, error) {
	return vs.renew(ctx, nil, nil)
}

// renew is refresh for a caller that v, which may be nil, did not do for. It
// returns sooner where a view after v does: what the caller misses was announced,
// as a rule, and is being loaded already.
func (vs *views) renew(ctx context.Context, v *view, does func(*view) bool) (*view, error) {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	done := make(chan error, 1)
	requests := vs.requests
	for {
		var replaced chan struct{}
		if v != nil {
			replaced = v.replaced
		}
		select {
		case requests <- done:
			requests = nil // once is enough
		case <-replaced:
			if v = vs.latest.Load(); does(v) {
				return v, nil
			}
		case err := <-done:
			if err != nil {
				return nil, fmt.Errorf("%w: %w", refusal.ErrUnready, err)
			}
			return vs.current(), nil
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", refusal.ErrUnready, context.Cause(ctx))
		}
	}
}

// run loads at once, then whenever hints has one, somebody calls refresh, or
// the interval has passed, until ctx ends.
func (vs *views) run(ctx context.Context, hints <-chan struct{}) {
	var waiting []chan error
	due := time.Now()     // when the next load begins
	var soonest time.Time // when it may
	next := time.NewTimer(0)
	defer next.Stop()
	schedule := func(at time.Time) {
		due = at
		next.Reset(max(0, time.Until(at)))
	}
	sooner := func() {
		if soonest.Before(due) {
			schedule(soonest)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-vs.pings:
			continue
		case <-hints:
			sooner()
			continue
		case done := <-vs.requests:
			waiting = append(waiting, done)
			sooner()
			continue
		case <-next.C:
		}
		started := time.Now()
		err := vs.reload(ctx)
		vs.loaded(time.Since(started), err)
		pause := reloadPause
		if err == nil {
			// A failure took its time in waiting for Redis, which costs nobody.
			pause = min(max(pause, reloadShare*time.Since(started)), reloadPauseMax)
		}
		soonest = started.Add(pause)
		for _, done := range waiting {
			done <- err
		}
		waiting = nil
		if err != nil && vs.latest.Load() == nil {
			schedule(time.Now().Add(min(retryPause, vs.interval)))
		} else {
			schedule(time.Now().Add(vs.interval))
		}
	}
}

// reload loads once. What can fail comes first; from the swap on nothing can.
func (vs *views) reload(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	snapshot, err := vs.load(limited)
	if err != nil {
		if ctx.Err() == nil && !vs.failing.Swap(true) {
			vs.log.Error("cannot load from Redis, trying again", "err", err, "serving", vs.latest.Load() != nil, "hint", refusal.HintRedis)
			vs.changed(false)
		}
		return err
	}

	old := vs.latest.Load()
	next, retired := newView(old, snapshot, vs.open, vs.log)
	vs.sections(snapshot)
	vs.latest.Store(next)
	if old != nil {
		close(old.replaced)
	}
	for _, store := range retired {
		store.retire()
	}
	vs.report(old, next, len(retired))
	if vs.failing.Swap(false) || old == nil {
		vs.changed(true)
	}
	return nil
}

// report logs what a reload changed; one that changed nothing is silent.
func (vs *views) report(old, next *view, retired int) {
	warned := map[catalog.Warning]bool{}
	if old != nil {
		for _, warning := range old.snapshot.Warnings {
			warned[warning] = true
		}
	}
	for _, warning := range next.snapshot.Warnings {
		if !warned[warning] {
			vs.log.Warn("left out an entry of Redis", "key", warning.Key, "reason", warning.Reason, "hint", HintLeftOut)
		}
	}
	recovered := vs.failing.Load()
	if old != nil && !recovered && retired == 0 &&
		len(old.snapshot.Principals) == len(next.snapshot.Principals) &&
		len(old.stores) == len(next.stores) {
		return
	}
	vs.log.Info("loaded from Redis",
		"users", len(next.snapshot.Principals), "destinations", len(next.stores), "retired", retired)
}

// alive tells whether run still goes round.
func (vs *views) alive(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	select {
	case vs.pings <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// close retires every store of the last view.
func (vs *views) close() {
	if v := vs.latest.Load(); v != nil {
		for _, store := range v.stores {
			store.retire()
		}
	}
}
