package live

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/expiry"
)

const (
	// reloadPause is the minimum time between the starts of two loads. After a quiet time,
	// the first load begins at once.
	reloadPause = 200 * time.Millisecond
	// wholePause is the time between a load of what an event named and a load of
	// everything.
	wholePause = time.Second
	// unprovenPause is the minimum time between the starts of two loads for callers with
	// unknown credentials, of which there may be a flood.
	unprovenPause = time.Second
	// reloadShare bounds the time spent on loading: after a load that took t, the next one
	// starts no sooner than reloadShare × t later, or reloadPauseMax if that is less. This
	// pause and a load fit into refreshTimeout.
	reloadShare    = 10
	reloadPauseMax = 5 * time.Second
	// retryPause is the interval of the attempts while there is no view at all.
	retryPause = 2 * time.Second
	// loadTimeout bounds a load from a Redis that hangs. It is shorter than refreshTimeout,
	// so that the gateway itself does not appear to hang.
	loadTimeout = 10 * time.Second
	// refreshTimeout bounds how long a request waits for a load that it asked for.
	refreshTimeout = 15 * time.Second
)

// viewsOptions configure views.
type viewsOptions struct {
	load func(context.Context) (*catalog.Snapshot, error)
	// loadUsers returns the last snapshot with the present users, if it can; nil never can.
	loadUsers func(context.Context) (snapshot *catalog.Snapshot, ok bool)
	open      Opener
	sections  func(*catalog.Snapshot) // called with each new snapshot before its stores may open
	clock     *expiry.Clock           // for the expiry of deleted objects; nil: no trash
	log       *slog.Logger
	interval  time.Duration // between loads without a request
	maxStale  time.Duration // maximum age of a view while Redis is down
	changed   func(ready bool)
	loaded    func(took time.Duration, err error) // called after each load
}

// views holds the current view and replaces it. One goroutine, run, loads.
type views struct {
	viewsOptions

	latest   atomic.Pointer[View]
	failing  atomic.Bool // the last load failed
	requests chan ask
	pings    chan struct{}
}

// ask is a request for a load.
type ask struct {
	done     chan<- error
	unproven bool
}

// hints are requests without a waiting caller. Each channel holds one.
type hints struct {
	whole chan struct{} // anything may have changed
	users chan struct{} // users may have changed
}

func newHints() hints {
	return hints{whole: make(chan struct{}, 1), users: make(chan struct{}, 1)}
}

// hint requests a load.
func hint(place chan<- struct{}) {
	select {
	case place <- struct{}{}:
	default: // one is waiting already
	}
}

// newViews returns views without a view; run loads the first one.
func newViews(opts viewsOptions) *views {
	return &views{viewsOptions: opts, requests: make(chan ask), pings: make(chan struct{})}
}

// Current returns the view to serve from, nil if there is none or it is too old.
func (vs *views) Current() *View {
	v := vs.latest.Load()
	if v == nil || time.Since(v.Loaded) > vs.maxStale {
		return nil
	}
	return v
}

// Latest returns the last view, however old; nil before the first.
func (vs *views) Latest() *View { return vs.latest.Load() }

// Failing reports whether the last load failed.
func (vs *views) Failing() bool { return vs.failing.Load() }

// MaxStale returns the maximum age of a view that Current returns.
func (vs *views) MaxStale() time.Duration { return vs.maxStale }

// Ready reports whether the view is the present content of Redis.
func (vs *views) Ready() bool {
	return vs.Current() != nil && !vs.failing.Load()
}

// Refresh returns a view whose load began after the call. Concurrent calls share a load.
func (vs *views) Refresh(ctx context.Context) (*View, error) {
	return vs.renew(ctx, nil, false, nil)
}

// Renew is Refresh for a caller that v, which may be nil, did not satisfy. It returns
// earlier if a view after v satisfies the caller: usually an event announced the missing
// entry, and it is being loaded already.
func (vs *views) Renew(ctx context.Context, v *View, does func(*View) bool) (*View, error) {
	return vs.renew(ctx, v, false, does)
}

// RenewUnproven is Renew for callers with unknown credentials: all of them together cause
// one load per second.
func (vs *views) RenewUnproven(ctx context.Context, v *View, does func(*View) bool) (*View, error) {
	return vs.renew(ctx, v, true, does)
}

func (vs *views) renew(ctx context.Context, v *View, unproven bool, does func(*View) bool) (*View, error) {
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
		case requests <- ask{done, unproven}:
			requests = nil // once is enough
		case <-replaced:
			if v = vs.latest.Load(); does(v) {
				return v, nil
			}
		case err := <-done:
			if err != nil {
				return nil, fmt.Errorf("%w: %w", refusal.ErrUnready, err)
			}
			return vs.Current(), nil
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", refusal.ErrUnready, context.Cause(ctx))
		}
	}
}

// run loads at once, and then after each hint, call of refresh, or interval, until ctx
// ends. If the users suffice it loads only them; after an event about users, a load of
// everything follows within wholePause.
func (vs *views) run(ctx context.Context, heard hints) {
	p := newPlan()
	defer p.next.Stop()
	var started time.Time // when the last load began
	for {
		select {
		case <-ctx.Done():
			return
		case <-vs.pings:
			continue
		case <-heard.whole:
			p.hear(true)
			continue
		case <-heard.users:
			p.hear(false)
			continue
		case ask := <-vs.requests:
			p.ask(ask, started)
			continue
		case <-p.next.C:
		}
		started = time.Now()
		planned := p.wholeIsDue(started)
		whole, err := vs.reload(ctx, planned)
		vs.loaded(time.Since(started), err)
		again := vs.interval
		if err != nil && vs.latest.Load() == nil {
			again = min(retryPause, again)
		}
		p.end(started, planned, whole, err, again)
	}
}

// reload loads once, and reports whether that was a load of everything. Whatever can fail
// comes before the swap.
func (vs *views) reload(ctx context.Context, want bool) (whole bool, err error) {
	snapshot, whole, err := vs.read(ctx, want)
	if err != nil {
		if ctx.Err() == nil && !vs.failing.Swap(true) {
			vs.log.Error("cannot load from Redis, trying again", "err", err, "serving", vs.latest.Load() != nil, "hint", refusal.HintRedis)
			vs.changed(false)
		}
		return whole, err
	}

	old := vs.latest.Load()
	next, retired := NewView(old, snapshot, vs.open, vs.clock, vs.log)
	if whole {
		vs.sections(snapshot)
	}
	vs.latest.Store(next)
	if old != nil {
		close(old.replaced)
	}
	for _, mount := range retired {
		mount.retire()
	}
	vs.report(old, next, len(retired))
	if vs.failing.Swap(false) || old == nil {
		vs.changed(true)
	}
	return whole, nil
}

// read loads the users alone if that suffices and is possible. whole is false then.
func (vs *views) read(ctx context.Context, want bool) (snapshot *catalog.Snapshot, whole bool, err error) {
	limited, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	if !want && vs.loadUsers != nil {
		if snapshot, ok := vs.loadUsers(limited); ok {
			return snapshot, false, nil
		}
	}
	snapshot, err = vs.load(limited)
	return snapshot, true, err
}

// report logs the changes of a reload, if there are any.
func (vs *views) report(old, next *View, retired int) {
	warned := map[catalog.Warning]bool{}
	if old != nil {
		for _, warning := range old.Snapshot.Warnings {
			warned[warning] = true
		}
	}
	for _, warning := range next.Snapshot.Warnings {
		if !warned[warning] {
			vs.log.Warn("left out an entry of Redis", "key", warning.Key, "reason", warning.Reason, "hint", HintLeftOut)
		}
	}
	recovered := vs.failing.Load()
	if old != nil && !recovered && retired == 0 &&
		len(old.Snapshot.Principals) == len(next.Snapshot.Principals) &&
		len(old.Mounts) == len(next.Mounts) {
		return
	}
	vs.log.Info("loaded from Redis",
		"users", len(next.Snapshot.Principals), "destinations", len(next.Mounts), "retired", retired)
}

// Alive reports whether run's loop is working.
func (vs *views) Alive(ctx context.Context) bool {
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
		for _, mount := range v.Mounts {
			mount.retire()
		}
	}
}
