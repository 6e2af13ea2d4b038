package scheduler

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/names"
)

// contact synchronizes with Redis when refresh has passed. If Redis is down at the start, it
// continues with what the node remembers.
func (e *Engine) contact(ctx context.Context, now time.Time) {
	if since := now.Sub(e.loaded); 0 <= since && since < refresh {
		return
	}
	first := e.loaded.IsZero()
	e.loaded = now
	planned, states, err := e.exchange(ctx)
	if err != nil {
		e.lost(err)
		if !first || e.Known == nil {
			return
		}
		if planned, states, err = e.Known.Recall(); err != nil {
			e.Notef("what this node knew of its schedules cannot be read: %v", err)
			return
		}
		e.merge(ctx, planned, states, now, false)
		return
	}
	if e.away {
		e.Notef("redis is back")
		e.away = false
		e.Record(ctx) // recorded outcomes that wait
	}
	e.merge(ctx, planned, states, now, true)
	e.dirty = true
}

// exchange reports that this scheduler is alive, saves the pending states, and returns the
// schedules and states in Redis.
func (e *Engine) exchange(ctx context.Context) ([]Planned, map[string]State, error) {
	if err := e.Store.Beat(ctx, e.Owner); err != nil {
		return nil, nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(e.unsaved)) {
		if err := e.Store.Save(ctx, id, e.unsaved[id]); err != nil {
			return nil, nil, err
		}
		delete(e.unsaved, id)
	}
	return e.Store.Load(ctx)
}

// lost notes, once, that Redis is down.
func (e *Engine) lost(err error) {
	if !e.away {
		e.Notef("redis is away; going on with what is known: %v", err)
	}
	e.away = true
}

// merge takes over what was read. A state that is not yet in Redis is newer than Redis's.
func (e *Engine) merge(ctx context.Context, planned []Planned, states map[string]State, now time.Time, asked bool) {
	alive := e.alive(ctx, states, asked)
	seen := map[string]bool{}
	for _, p := range planned {
		seen[p.ID] = true
		x := e.entries[p.ID]
		if x == nil {
			x = &entry{}
			e.entries[p.ID] = x
		}
		x.Planned = p
		if state, known := states[p.ID]; known && !x.running && e.unsaved[p.ID] == (State{}) {
			x.state = state
		}
		e.settle(ctx, x, now)
		x.foreign = x.state.Going() && x.state.Owner != e.Owner && alive[x.state.Owner]
		x.next = x.Next(x.state.Planned)
	}
	for id, x := range e.entries {
		if !seen[id] && !x.running {
			delete(e.entries, id)
		}
	}
}

// settle initializes the state of a new schedule, and of one whose times were changed, so
// that earlier times do not count.
func (e *Engine) settle(ctx context.Context, x *entry, now time.Time) {
	wrong := ""
	if err := x.Check(now); err != nil {
		wrong = err.Error()
	}
	if wrong != x.wrong && wrong != "" {
		e.Notef("this schedule is wrong: %s", wrong)
	}
	x.wrong = wrong
	if x.running || x.state.Going() || x.state.When == whenOf(&x.Schedule) {
		return
	}
	// A schedule added since the last refresh must not miss its first time.
	from := now.Add(-refresh)
	if e.single {
		from = lastTurn(x, now)
	}
	x.state = x.dealtWith(State{Planned: from, Ended: now})
	e.save(ctx, x.ID, x.state)
}

// alive returns the owners among the states that are alive.
func (e *Engine) alive(ctx context.Context, states map[string]State, asked bool) map[string]bool {
	var owners []string
	for _, s := range states {
		if s.Going() && s.Owner != "" && s.Owner != e.Owner && !slices.Contains(owners, s.Owner) {
			owners = append(owners, s.Owner)
		}
	}
	if len(owners) == 0 || !asked {
		return nil
	}
	alive, err := e.Store.Alive(ctx, owners)
	if err != nil {
		e.lost(err)
		alive = map[string]bool{}
		for _, owner := range owners {
			alive[owner] = true // assume so until Redis answers
		}
	}
	return alive
}

// save saves a state that this scheduler owns.
func (e *Engine) save(ctx context.Context, id string, state State) {
	if err := e.Store.Save(ctx, id, state); err != nil {
		e.lost(err)
		e.unsaved[id] = state
	} else {
		delete(e.unsaved, id)
	}
	e.dirty = true
}

// keepEvery is the least interval between updates of Known whose content is also in Redis.
const keepEvery = 10 * time.Second

// keep updates Known.
func (e *Engine) keep(stopping bool) {
	now := time.Now() // schedules do not depend on it
	if e.Known == nil || !e.dirty || len(e.unsaved) == 0 && !stopping && now.Sub(e.kept) < keepEvery {
		return
	}
	e.dirty, e.kept = false, now
	var planned []Planned
	states := map[string]State{}
	for _, id := range slices.SortedFunc(maps.Keys(e.entries), names.CompareNumbers) {
		planned = append(planned, e.entries[id].Planned)
		states[id] = e.entries[id].state
	}
	if err := e.Known.Keep(planned, states); err != nil {
		e.Notef("what is known of the schedules cannot be kept for a start without Redis: %v", err)
	}
}
