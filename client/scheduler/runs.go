package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/history"
)

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
