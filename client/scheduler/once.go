package scheduler

import (
	"context"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/history"
)

// Once runs one schedule whose timer belongs to another program, such as systemd. It claims
// the last planned time, records earlier missed ones, and waits for the run. An error says
// why nothing was run.
func (e *Engine) Once(ctx context.Context, id string) (Result, error) {
	e.prepare()
	e.single = true
	now := e.Now()
	e.contact(ctx, now)
	x := e.entries[id]
	switch {
	case x == nil && e.away:
		return Result{}, exit.Failf(exit.Redis, "redis is away, and this node does not know schedule %s", id)
	case x == nil:
		return Result{}, exit.Failf(exit.NotFound, "schedule %s has no module on this node", id)
	case x.foreign:
		return Result{}, errBusy(x)
	}
	if !e.consider(ctx, x, now) {
		e.keep(true)
		return Result{}, exit.Failf(exit.Disabled, "%s: nothing to run: it is paused, or its time has passed", x.Title())
	}
	e.begin(ctx, ctx, x, now)
	if !x.running {
		return Result{}, errBusy(x)
	}
	end := <-e.ended
	x.running = false
	e.running--
	switch {
	case end.Err != nil && ctx.Err() != nil:
		x.state.Owner = ""
		e.save(context.WithoutCancel(ctx), x.ID, x.state)
	case end.Err != nil:
		e.record(ctx, x, e.Now(), history.Failed, end.Err.Error(), x.state.Planned)
		fallthrough
	default:
		x.state.Ended, x.state.Status = e.Now(), end.Status
		e.save(context.WithoutCancel(ctx), x.ID, x.state)
	}
	e.keep(true)
	return end.Result, nil
}

func errBusy(x *entry) error {
	return exit.Failf(exit.Busy, "%s: another run of it is going on, or has dealt with this time", x.Title())
}

// lateTimer is how late a timer may be.
const lateTimer = time.Hour

// lastTurn returns a moment just before the schedule's last planned time. If that is long
// ago, the run counts as planned for now.
func lastTurn(x *entry, now time.Time) time.Time {
	last := turns(&x.Schedule, now.Add(-lateTimer), now)
	if len(last) == 0 {
		return now
	}
	return last[len(last)-1].Add(-1)
}

// statusOf returns the exit status of a run of one schedule.
func statusOf(result Result, err error) error {
	switch {
	case err != nil:
		return err
	case result.Err != nil:
		return result.Err
	case result.Status != 0:
		return exit.Silent(result.Status)
	}
	return nil
}
