package runbackup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/history"
)

// turn is a module that waits to be backed up.
type turn struct {
	module module
	// busy is when it was first found busy; zero if it was not.
	busy, again time.Time
	// full is true if the destination was full.
	full bool
}

// runModules backs up all modules, as many in parallel as the schedule says. Busy modules
// are retried at the end.
func (r *execution) runModules(ctx context.Context) {
	waiting := make([]turn, 0, len(r.facts.Modules))
	for _, m := range r.facts.Modules {
		waiting = append(waiting, turn{module: m})
	}
	most := max(1, r.facts.Schedule.Parallel)
	results := make(chan turn)
	running := 0
	for (len(waiting) > 0 || running > 0) && (ctx.Err() == nil || running > 0) {
		if at := nextTurn(waiting, time.Now()); at >= 0 && running < most && ctx.Err() == nil {
			t := waiting[at]
			waiting = slices.Delete(waiting, at, at+1)
			running++
			go func() { results <- r.runTurn(ctx, t) }()
			continue
		}
		var later <-chan time.Time
		if running < most && len(waiting) > 0 {
			later = time.After(untilTurn(waiting, time.Now()))
		}
		done := ctx.Done()
		if running > 0 {
			done = nil // running modules see the end of ctx, and are waited for
		}
		select {
		case t := <-results:
			running--
			if !t.again.IsZero() {
				waiting = append(waiting, t)
			}
		case <-later:
		case <-done:
		}
	}
}

// nextTurn returns the index of the next turn, -1 if none is ready. Busy modules come after
// the others.
func nextTurn(waiting []turn, now time.Time) int {
	for i := range waiting {
		if waiting[i].again.IsZero() {
			return i
		}
	}
	for i := range waiting {
		if !waiting[i].again.After(now) {
			return i
		}
	}
	return -1
}

func untilTurn(waiting []turn, now time.Time) time.Duration {
	first := waiting[0].again
	for _, t := range waiting[1:] {
		if t.again.Before(first) {
			first = t.again
		}
	}
	return max(0, first.Sub(now))
}

// runTurn does everything for a module. If it is busy and may be retried, the returned turn
// says when.
func (r *execution) runTurn(ctx context.Context, t turn) turn {
	m := &t.module
	t.again = time.Time{}
	backup := r.journal.outcome(m.ID, history.Backup)
	if backup == "" && m.Elsewhere {
		backup = history.Done // made by its host, which has recorded it
	}
	if backup == "" {
		run, busy := r.backUp(ctx, &t)
		if busy || ctx.Err() != nil {
			return t
		}
		r.ended(ctx, run)
		backup, t.busy, t.full = run.Outcome, time.Time{}, run.ExitStatus == int(exit.Full)
	}
	if ctx.Err() == nil && !m.Gone && backup != history.Skipped {
		r.upkeep.run(ctx, &t, backup)
	}
	return t
}

// backUp backs up a module, unless it is too late to start.
func (r *execution) backUp(ctx context.Context, t *turn) (run history.Run, busy bool) {
	m := &t.module
	run = r.newRun(m, history.Backup)
	if why := r.tooLate(time.Now()); why != "" {
		run.Outcome, run.Error = history.Skipped, why
		return run, false
	}
	if m.Gone {
		run.Outcome, run.ExitStatus = history.Failed, int(exit.NotFound)
		run.Error = fmt.Sprintf("module %s does not exist any longer: take it out of the schedule", m.ID)
		if r.sys.Env.OnNS8() {
			run.Outcome = history.Skipped // NethServer 8 does not count that as a failure
		}
		return run, false
	}
	r.live.Begin(&run)
	status := r.runChild(ctx, m, &run)
	if ctx.Err() != nil {
		return run, false
	}
	if status == exit.Busy || status == exit.Locked {
		r.live.Forget(m.ID)
		if r.tryAgain(t, errors.New(run.Error)) {
			return run, true
		}
		run.Outcome = history.Failed
		run.Error = fmt.Sprintf("gave up after %s: %s", r.opts.retryFor, run.Error)
		return run, false
	}
	r.manifestAndStatus(ctx, m, &run)
	return run, false
}

// tooLate says why nothing may start any longer, "" if it may.
func (r *execution) tooLate(now time.Time) string {
	s := &r.facts.Schedule
	if s.Quiet.Contain(now.In(s.Location())) {
		return "it was this module's turn in the quiet hours " + s.Quiet.String()
	}
	if s.Deadline > 0 && now.Sub(r.journal.Started) > s.Deadline {
		return fmt.Sprintf("it was this module's turn later than %s after the run began", s.Deadline)
	}
	return ""
}

// tryAgain decides whether a busy module is retried after the other modules.
func (r *execution) tryAgain(t *turn, why error) bool {
	now := time.Now()
	if now.Add(r.opts.retryEvery).Sub(cmp.Or(t.busy, now)) > r.opts.retryFor {
		return false
	}
	if t.busy.IsZero() {
		t.busy = now
		r.sys.Notef("%s: to be tried again: %v", t.module.ID, why)
	}
	t.again = now.Add(r.opts.retryEvery)
	return true
}
