package runbackup

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/history"
)

// settle handles the journal of a killed run: the run continues, or what it did not do is
// recorded as failed.
func (r *execution) settle(ctx context.Context, now time.Time) error {
	killed, err := readJournal(r.dir, r.facts.Schedule.ID)
	switch {
	case err != nil:
		r.sys.Warnf("how far the last run has come cannot be read, so that it does not go on: %v", err)
		killed = newJournal(r.dir, r.facts.Schedule.ID, time.Time{}, now, r.facts.Modules)
	case killed == nil:
		return nil
	case r.facts.Schedule.Enabled && killed.goesOn(r.planned, r.opts.modules, now):
		r.journal = killed
		return r.leaveOut(ctx)
	}
	lost := r.owed(killed, killed.Modules, history.Failed, "the run was killed before this was done, and was not begun again", int(exit.Failed))
	if len(lost) > 0 {
		r.metrics.Write(false)
	}
	if err := r.record(ctx, lost...); err != nil {
		return err
	}
	return ended(killed)
}

// ended deletes a journal, which may not have a file.
func ended(j *journal) error {
	if err := j.end(); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// leaveOut records the tasks of a continued run that are no longer possible, since the
// module is no longer in the schedule or on this node.
func (r *execution) leaveOut(ctx context.Context) error {
	here := func(m module) bool {
		return slices.ContainsFunc(r.facts.Modules, func(other module) bool { return other.ID == m.ID })
	}
	away := slices.DeleteFunc(slices.Clone(r.journal.Modules), here)
	lost := r.owed(r.journal, away, history.Failed, "the run was killed before this was done, and the schedule does not have the module on this node any longer", int(exit.Failed))
	if err := r.record(ctx, lost...); err != nil {
		return err
	}
	for _, run := range lost {
		if err := r.journal.note(run.Module, run.Kind, run.Outcome); err != nil {
			return err
		}
	}
	r.journal.Modules = slices.Concat(away, r.facts.Modules)
	return r.journal.save()
}

// begin begins a journal, or continues that of the killed run.
func (r *execution) begin(now time.Time) error {
	if r.journal == nil {
		r.journal = newJournal(r.dir, r.facts.Schedule.ID, r.planned, now, r.facts.Modules)
		r.journal.Chosen = r.opts.modules
		return r.journal.save()
	}
	r.sys.Notef("run %s was interrupted: it goes on where it was", r.journal.ID)
	return nil
}

// owed returns outcomes for everything that has none in a journal.
func (r *execution) owed(j *journal, modules []module, outcome history.Outcome, why string, status int) []history.Run {
	var runs []history.Run
	for i := range modules {
		for _, kind := range j.owed(&modules[i]) {
			run := r.newRun(&modules[i], kind)
			run.ID, run.Planned, run.Started, run.Ended = j.ID, j.Planned, j.Started, time.Now()
			run.Outcome, run.Error, run.ExitStatus = outcome, why, status
			runs = append(runs, run)
		}
	}
	return runs
}

// skipAll records that nothing is run, and why.
func (r *execution) skipAll(ctx context.Context, why string) error {
	if err := r.allAre(ctx, history.Skipped, why, 0); err != nil {
		return err
	}
	return exit.Failf(exit.Disabled, "schedule %s: nothing was run: %s", r.facts.Schedule.ID, why)
}

func (r *execution) failAll(ctx context.Context, why error) error {
	r.metrics.Write(false)
	return errors.Join(why, r.allAre(ctx, history.Failed, why.Error(), exit.CodeOf(ctx, why)))
}

// allAre records the same outcome for everything that has none.
func (r *execution) allAre(ctx context.Context, outcome history.Outcome, why string, status int) error {
	j := r.journal
	if j == nil {
		j = newJournal(r.dir, r.facts.Schedule.ID, r.planned, time.Now(), r.facts.Modules)
	}
	if err := r.record(ctx, r.owed(j, j.Modules, outcome, why, status)...); err != nil {
		return err
	}
	return ended(j)
}

// conclude returns the exit status of the whole run, including the part before it was
// killed.
func (r *execution) conclude() error {
	id := r.facts.Schedule.ID
	failed, skipped, partial := r.tally()
	switch {
	case len(failed) > 0:
		r.metrics.Write(false)
		return exit.Failf(exit.Failed, "schedule %s failed for %s: see gatewayctl runs list", id, strings.Join(failed, ", "))
	case skipped > 0:
		r.metrics.Write(false)
		return exit.Failf(exit.Failed, "schedule %s: %d were skipped: see gatewayctl runs list", id, skipped)
	case r.wrong != nil:
		r.metrics.Write(false)
		return r.wrong
	case partial > 0:
		r.metrics.Write(false)
		return exit.Failf(exit.Partial, "schedule %s: %d snapshots lack something: see gatewayctl runs list", id, partial)
	}
	r.metrics.Write(true)
	r.sys.Notef("schedule %s: complete", id)
	return nil
}

// tally counts the outcomes in the journal.
func (r *execution) tally() (failed []string, skipped, partial int) {
	for _, m := range r.journal.Modules {
		for _, kind := range history.Kinds {
			switch outcome := r.journal.outcome(m.ID, kind); {
			case r.bad(outcome):
				failed = append(failed, m.ID)
			case outcome == history.Skipped && m.Gone && r.sys.Env.OnNS8():
				// NethServer 8 does not count that as a failure.
			case outcome == history.Skipped:
				skipped++
			case outcome == history.Partial:
				partial++
			}
		}
	}
	slices.Sort(failed)
	return slices.Compact(failed), skipped, partial
}
