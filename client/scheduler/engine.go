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
	// refresh is how often schedules are read again, and how long a wait is at most: a
	// clock that is set is noticed as late as that.
	refresh = 15 * time.Second
	// soon is how late a run may be that is not to be caught up.
	soon = 5 * time.Minute
	// clockSlack is how far a clock may be set back before it is taken for one that had
	// been wrong: what was dealt with in its future counts no longer.
	clockSlack = time.Hour
	// tries is how often a run is begun that ends without saying why, such as by SIGKILL.
	tries = 3
	// retryAfter is how long that waits.
	retryAfter = time.Minute
)

// Result is how a run ended.
type Result struct {
	Status int
	// Err is that it could not be started, or was ended by a signal: it told its outcome
	// to nobody.
	Err error
}

// Engine starts the runs of schedules. The fields are set before [Engine.Run].
type Engine struct {
	// Owner is this scheduler's name, unlike that of any other, before and after.
	Owner string
	Store Store
	// Start starts a run that was planned for a time, and returns once it has ended. It
	// ends early when ctx does.
	Start func(ctx context.Context, p Planned, planned time.Time) Result
	// Unfinished reports whether a run of a schedule was killed here before it had done all
	// of its work: nil is never.
	Unfinished func(id string) bool
	// Record records outcomes. What it cannot record it keeps.
	Record func(ctx context.Context, runs ...history.Run)
	// Now is the clock.
	Now func() time.Time
	// Notef tells people what happens.
	Notef func(format string, args ...any)
	// Parallel is how many runs there are at once.
	Parallel int
	// Known is kept after each change, so that a start without Redis knows it: nil is not
	// at all.
	Known Memory

	single  bool // somebody else has the time of a schedule
	entries map[string]*entry
	running int
	ended   chan ended
	loaded  time.Time
	away    bool             // Redis is
	dirty   bool             // Known lacks something
	kept    time.Time        // when it did not
	unsaved map[string]State // what Redis does not know yet
}

// Memory is what a node knows without Redis.
type Memory interface {
	Recall() ([]Planned, map[string]State, error)
	Keep(planned []Planned, states map[string]State) error
}

// entry is what is known of one schedule.
type entry struct {
	Planned
	state   State
	next    time.Time // when it is planned for next
	running bool      // here
	tries   int
	retry   time.Time // when to begin again what ended without a word
	foreign bool      // another scheduler that is alive is at work
	wrong   string    // what is wrong with its calendar, which was told
}

// dealtWith is a state of the schedule.
func (x *entry) dealtWith(s State) State {
	s.When = whenOf(&x.Schedule)
	return s
}

// whenOf is all that the times of a schedule depend on.
func whenOf(s *schedule.Schedule) string {
	return s.When + "|" + s.TimeZone + "|" + s.RandomDelay.String()
}

type ended struct {
	id string
	Result
}

// Run starts runs until ctx ends. Then it waits until those that are going on have ended,
// whose ctx has ended too.
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

// step does all that is to be done now.
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

// wait is how long nothing is to be done.
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

// contact reads schedules and states, says that this scheduler is alive, and tells Redis
// what it does not know yet, every now and again.
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
		e.Record(ctx) // what waits
	}
	e.merge(ctx, planned, states, now, true)
	e.dirty = true
}

// lost notes that Redis is away, once.
func (e *Engine) lost(err error) {
	if !e.away {
		e.Notef("redis is away; going on with what is known: %v", err)
	}
	e.away = true
}

// merge takes over what was read. A state here that Redis does not know is the newer one.
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

// settle begins to count where there is nothing to count from: with a new schedule, and
// with one whose times were changed, so that times of before do not count.
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
	// One that was added between two looks is not to miss its first time.
	from := now.Add(-refresh)
	if e.single {
		from = lastTurn(x, now)
	}
	x.state = x.dealtWith(State{Planned: from, Ended: now})
	e.save(ctx, x.ID, x.state)
}

// alive is which schedulers are that are at work.
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
			alive[owner] = true // until the opposite is known
		}
	}
	return alive
}

// consider records what of a schedule is not to run, and reports whether a run is due.
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

// notRun is why what is due is not to run, and what that comes to; nothing where it is.
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

// pass records times that are not run, and counts them as dealt with.
func (e *Engine) pass(ctx context.Context, x *entry, now time.Time, outcome history.Outcome, why string, planned ...time.Time) {
	state := x.dealtWith(State{Planned: planned[len(planned)-1], Owner: e.Owner, Ended: now})
	if !e.claim(ctx, x, state) {
		return
	}
	e.record(ctx, x, now, outcome, why, planned...)
}

// record records an outcome of all modules here, for each time.
func (e *Engine) record(ctx context.Context, x *entry, now time.Time, outcome history.Outcome, why string, planned ...time.Time) {
	runs := Outcomes(x.Planned, now, outcome, why, planned...)
	if len(runs) > 0 {
		e.Record(ctx, runs...)
	}
}

// Outcomes are those of all modules of a schedule on a node, for each of the times at which
// it did not run.
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

// over reports whether a run ended whose scheduler was killed before it could note that:
// then it is noted, and not begun again.
func (e *Engine) over(ctx context.Context, x *entry, now time.Time) bool {
	if e.Unfinished != nil && e.Unfinished(x.ID) {
		return false // its backups may be in the history, and the rest not
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

// shownTime is how times are told, with their zone.
const shownTime = "2006-01-02 15:04:05 MST"

// recordPassed records the times for which one run stands: those that came while the run
// before was going on, and those at which nobody was there.
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

// claim takes a time for this scheduler, in Redis where that is possible. Where another one
// was faster its state is taken over.
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

// finish notes that a run has ended.
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

// save writes a state that is this scheduler's own.
func (e *Engine) save(ctx context.Context, id string, state State) {
	if err := e.Store.Save(ctx, id, state); err != nil {
		e.lost(err)
		e.unsaved[id] = state
	} else {
		delete(e.unsaved, id)
	}
	e.dirty = true
}

// keepEvery is how often what Redis knows as well is kept at most.
const keepEvery = 10 * time.Second

// keep writes what is known where a start without Redis finds it.
func (e *Engine) keep(stopping bool) {
	now := time.Now() // by which nothing is planned
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

// stop waits for the runs that are going on. What was interrupted is left to whoever
// starts next.
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
