package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
)

const (
	// refresh is how often schedules are read, and the longest wait: a change of the clock
	// is noticed within that time.
	refresh = 15 * time.Second
	// soon is how late a run without catch-up may start.
	soon = 5 * time.Minute
	// clockSlack is how far the clock may be set back. Beyond that, it must have been wrong
	// before, and times that were handled in its future no longer count.
	clockSlack = time.Hour
	// tries is how often a run is started that ends without an outcome, for example by
	// SIGKILL.
	tries = 3
	// retryAfter is the pause before such a retry.
	retryAfter = time.Minute
)

// Result is how a run ended.
type Result struct {
	Status int
	// Err says that the run could not start, or was ended by a signal and so reported no
	// outcome.
	Err error
}

// Engine starts the runs of schedules. The fields are set before [Engine.Run].
type Engine struct {
	// Owner is the unique name of this scheduler process.
	Owner string
	Store Store
	// Start runs the schedule for a planned time, and returns when the run has ended. The
	// run must end early when ctx does.
	Start func(ctx context.Context, p Planned, planned time.Time) Result
	// Unfinished reports whether a run of a schedule was killed on this node before all its
	// work was done. Nil means never.
	Unfinished func(id string) bool
	// Record records outcomes. It keeps those that Redis does not accept.
	Record func(ctx context.Context, runs ...history.Run)
	// Now is the clock.
	Now func() time.Time
	// Notef prints a message for people.
	Notef func(format string, args ...any)
	// Parallel is how many runs may run at once.
	Parallel int
	// Known is updated after each change, for a start without Redis. Nil disables that.
	Known Memory

	single  bool // only one schedule; another program has its timer
	entries map[string]*entry
	running int
	ended   chan ended
	loaded  time.Time
	away    bool             // Redis is down
	dirty   bool             // Known is out of date
	kept    time.Time        // when Known was last updated
	unsaved map[string]State // states that Redis does not have yet
}

// Memory is what a node knows without Redis.
type Memory interface {
	Recall() ([]Planned, map[string]State, error)
	Keep(planned []Planned, states map[string]State) error
}

// entry is a schedule and its state.
type entry struct {
	Planned
	state   State
	next    time.Time // next planned time
	running bool      // on this node
	tries   int
	retry   time.Time // when to retry after a run without an outcome
	foreign bool      // another live scheduler runs it
	wrong   string    // reported mistake in the schedule
}

// dealtWith completes a state with the present times of the schedule.
func (x *entry) dealtWith(s State) State {
	s.When = whenOf(&x.Schedule)
	return s
}

// whenOf returns everything that the times of a schedule depend on.
func whenOf(s *schedule.Schedule) string {
	return s.When + "|" + s.TimeZone + "|" + s.RandomDelay.String()
}

type ended struct {
	id string
	Result
}

// Run starts runs until ctx ends. Then it cancels the running ones, and waits for them.
func (e *Engine) Run(ctx context.Context) error {
	e.prepare()
	runs, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			cancel()
			e.stop(context.WithoutCancel(ctx))
			return nil
		case end := <-e.ended:
			e.finish(ctx, end)
		case <-timer.C:
		}
		e.step(ctx, runs)
		e.keep(false)
		timer.Reset(e.wait())
	}
}

func (e *Engine) prepare() {
	e.entries, e.unsaved, e.ended = map[string]*entry{}, map[string]State{}, make(chan ended)
}

// step does everything that is due now.
func (e *Engine) step(ctx, runs context.Context) {
	now := e.Now()
	e.contact(ctx, now)
	var due []*entry
	for _, id := range slices.SortedFunc(maps.Keys(e.entries), names.CompareNumbers) {
		if x := e.entries[id]; e.consider(ctx, x, now) {
			due = append(due, x)
		}
	}
	slices.SortStableFunc(due, func(a, b *entry) int { return a.next.Compare(b.next) })
	for _, x := range due {
		if e.running >= max(1, e.Parallel) {
			return
		}
		e.begin(ctx, runs, x, now)
	}
}

// wait returns the time until something is due.
func (e *Engine) wait() time.Duration {
	now := e.Now()
	wait := refresh
	for _, x := range e.entries {
		if x.running || x.foreign || x.next.IsZero() {
			continue
		}
		if until := x.next.Sub(now); until > 0 {
			wait = min(wait, until)
		}
	}
	return wait
}

// contact synchronizes with Redis when refresh has passed: it reports that this scheduler
// is alive, saves pending states, and reads schedules and states.
func (e *Engine) contact(ctx context.Context, now time.Time) {
	if since := now.Sub(e.loaded); 0 <= since && since < refresh {
		return
	}
	first := e.loaded.IsZero()
	e.loaded = now
	err := e.Store.Beat(ctx, e.Owner)
	for _, id := range slices.Sorted(maps.Keys(e.unsaved)) {
		if err == nil {
			if err = e.Store.Save(ctx, id, e.unsaved[id]); err == nil {
				delete(e.unsaved, id)
			}
		}
	}
	var planned []Planned
	var states map[string]State
	if err == nil {
		planned, states, err = e.Store.Load(ctx)
	}
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

// consider reports whether a run is due. It records times that must not run.
func (e *Engine) consider(ctx context.Context, x *entry, now time.Time) bool {
	if x.running || x.foreign {
		return false
	}
	if x.state.Planned.After(now.Add(clockSlack)) {
		e.Notef("%s was dealt with until %s, which is to come: the clock was set back; going on from now", x.Title(), x.state.Planned.Format(time.RFC3339))
		x.state = x.dealtWith(State{Planned: now, Ended: now})
		x.next = x.Next(now)
		e.save(ctx, x.ID, x.state)
	}
	if x.state.Going() {
		return !x.retry.After(now)
	}
	if x.next.IsZero() || x.next.After(now) {
		return false
	}
	why, outcome := x.notRun(now)
	if outcome == "" {
		return true
	}
	e.pass(ctx, x, now, outcome, why, turns(&x.Schedule, x.state.Planned, now)...)
	return false
}

// notRun returns why the due time must not run, and the outcome to record; "" if it must
// run.
func (x *entry) notRun(now time.Time) (why string, outcome history.Outcome) {
	switch {
	case !x.Enabled || x.IsPaused(now):
		return "the schedule is paused", history.Skipped
	case x.NoCatchUp && now.Sub(x.next) > soon:
		latest := turns(&x.Schedule, x.state.Planned, now)
		if now.Sub(latest[len(latest)-1]) > soon {
			return "nothing could run it at that time, and it is not caught up", history.Missed
		}
	}
	return "", ""
}

// pass marks times as handled and records that they did not run.
func (e *Engine) pass(ctx context.Context, x *entry, now time.Time, outcome history.Outcome, why string, planned ...time.Time) {
	state := x.dealtWith(State{Planned: planned[len(planned)-1], Owner: e.Owner, Ended: now})
	if !e.claim(ctx, x, state) {
		return
	}
	e.record(ctx, x, now, outcome, why, planned...)
}

// record records an outcome of all modules on this node, for each time.
func (e *Engine) record(ctx context.Context, x *entry, now time.Time, outcome history.Outcome, why string, planned ...time.Time) {
	runs := Outcomes(x.Planned, now, outcome, why, planned...)
	if len(runs) > 0 {
		e.Record(ctx, runs...)
	}
}

// Outcomes returns the outcomes of all modules of a schedule on a node, for each of the
// times that did not run.
func Outcomes(p Planned, now time.Time, outcome history.Outcome, why string, planned ...time.Time) []history.Run {
	var runs []history.Run
	for _, at := range planned {
		for _, module := range p.Here {
			runs = append(runs, history.Run{
				ID: history.MissedID(p.ID, at), Schedule: p.ID, Name: p.Name, Module: module, Kind: history.Backup,
				Outcome: outcome, Planned: at, Ended: now, Destination: p.Destination, Error: why,
			})
		}
	}
	return runs
}

// begin starts the run that is due.
func (e *Engine) begin(ctx, runs context.Context, x *entry, now time.Time) {
	at := x.state.Planned
	var before []time.Time
	if !x.state.Going() {
		planned := turns(&x.Schedule, x.state.Planned, now)
		at, before = planned[len(planned)-1], planned[:len(planned)-1]
	}
	if x.state.Going() && e.over(ctx, x, now) {
		return
	}
	lastEnd := x.state.Ended
	if !e.claim(ctx, x, x.dealtWith(State{Planned: at, Owner: e.Owner, Started: now})) {
		return
	}
	if len(before) > 0 {
		e.recordPassed(ctx, x, now, lastEnd, before)
	}
	x.running = true
	e.running++
	e.Notef("%s: started, planned for %s", x.Title(), at.In(x.Location()).Format(shownTime))
	p := x.Planned
	go func() { e.ended <- ended{p.ID, e.Start(runs, p, at)} }()
}

// over reports whether a run has ended whose scheduler was killed before it could note
// that. It notes that now, and the run is not repeated.
func (e *Engine) over(ctx context.Context, x *entry, now time.Time) bool {
	if e.Unfinished != nil && e.Unfinished(x.ID) {
		return false // some of its work may be missing
	}
	recorded, err := e.Store.Recorded(ctx, x.Planned, x.state.Planned)
	if err != nil {
		e.lost(err)
	}
	if recorded {
		x.state.Owner, x.state.Ended = e.Owner, now
		e.save(ctx, x.ID, x.state)
	}
	return recorded
}

// shownTime is the format of times in messages, with the zone.
const shownTime = "2006-01-02 15:04:05 MST"

// recordPassed records the earlier times that one run stands for: those that passed during
// the previous run as skipped, those without a scheduler as missed.
func (e *Engine) recordPassed(ctx context.Context, x *entry, now, lastEnd time.Time, before []time.Time) {
	during := 0
	for during < len(before) && before[during].Before(lastEnd) {
		during++
	}
	if during > 0 {
		e.record(ctx, x, now, history.Skipped, "the run before was still going on", before[:during]...)
	}
	if during < len(before) {
		e.record(ctx, x, now, history.Missed, "nothing could run it at that time; one run was caught up", before[during:]...)
	}
}

// claim claims a time for this scheduler, in Redis if possible. If another scheduler was
// faster, it takes over that one's state.
func (e *Engine) claim(ctx context.Context, x *entry, state State) bool {
	current, claimed, err := e.Store.Claim(ctx, x.ID, state)
	switch {
	case err != nil:
		e.lost(err)
		e.unsaved[x.ID] = state
	case !claimed:
		x.state = current
		x.foreign = current.Going() && current.Owner != e.Owner
		x.next = x.Next(current.Planned)
		return false
	default:
		delete(e.unsaved, x.ID)
	}
	x.state = state
	x.next = x.Next(state.Planned)
	e.dirty = true
	return true
}

// finish records the end of a run.
func (e *Engine) finish(ctx context.Context, end ended) {
	x := e.entries[end.id]
	x.running = false
	e.running--
	now := e.Now()
	if end.Err != nil {
		x.tries++
		if x.tries < tries {
			e.Notef("%s: %v; it begins again in %s", x.Title(), end.Err, retryAfter)
			x.retry = now.Add(retryAfter)
			return
		}
		e.Notef("%s: %v", x.Title(), end.Err)
		e.record(ctx, x, now, history.Failed, fmt.Sprintf("%v, %d times", end.Err, tries), x.state.Planned)
	} else {
		e.Notef("%s: ended with status %d", x.Title(), end.Status)
	}
	x.tries, x.retry = 0, time.Time{}
	x.state.Ended, x.state.Status = now, cmp.Or(end.Status, failedStatus(end.Err))
	e.save(ctx, x.ID, x.state)
}

func failedStatus(err error) int {
	if err != nil {
		return 1
	}
	return 0
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

// stop waits for the running runs. The next scheduler starts interrupted ones again.
func (e *Engine) stop(ctx context.Context) {
	for e.running > 0 {
		end := <-e.ended
		x := e.entries[end.id]
		e.running--
		x.running = false
		if end.Err != nil {
			x.state.Owner = ""
			e.Notef("%s: interrupted; it begins again when a scheduler starts", x.Title())
		} else {
			x.state.Ended, x.state.Status = e.Now(), end.Status
			e.Notef("%s: ended with status %d", x.Title(), end.Status)
		}
		e.save(ctx, x.ID, x.state)
	}
	e.keep(true)
}
