package runbackup

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/drill"
	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
)

// runDrills runs the drills that are due, one module after another, after all backups.
func (r *execution) runDrills(ctx context.Context) {
	if r.facts.Schedule.Drill == schedule.Never || ctx.Err() != nil {
		return
	}
	if r.journal.Drills == nil { // the run was not killed during its drills
		if chosen := r.chooseDrills(ctx, time.Now()); len(chosen) > 0 {
			if err := r.journal.chooseDrills(chosen); err != nil {
				r.sys.Warnf("%v", err)
			}
		}
	}
	for _, id := range r.journal.Drills {
		at := slices.IndexFunc(r.facts.Modules, func(m module) bool { return m.ID == id })
		if at < 0 || r.journal.outcome(id, history.Drill) != "" {
			continue
		}
		run := r.tryRestore(ctx, &r.facts.Modules[at])
		if ctx.Err() != nil {
			return // it is repeated
		}
		r.ended(ctx, run)
	}
}

// chooseDrills selects the modules to drill: those with the oldest last drill, as many as
// the schedule says, plus those whose last drill failed.
func (r *execution) chooseDrills(ctx context.Context, now time.Time) []string {
	s := &r.facts.Schedule
	if r.upkeep.remember(ctx) != nil || !s.Due(s.Drill, r.lastDrill(), now) {
		return nil // due drills are unknown without Redis; the next run does them
	}
	type turn struct {
		id     string
		last   time.Time
		failed bool
	}
	var turns []turn
	for i := range r.facts.Modules {
		m := &r.facts.Modules[i]
		if outcome := r.journal.outcome(m.ID, history.Backup); m.Gone || outcome != history.Done && outcome != history.Partial {
			continue
		}
		last := lastTried(r.upkeep.last(m))
		turns = append(turns, turn{m.ID, last.Started, last.Outcome == history.Failed})
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Or(a.last.Compare(b.last), cmp.Compare(a.id, b.id)) })
	most := len(turns)
	if s.DrillModules > 0 {
		most = min(most, s.DrillModules)
	}
	var chosen []string
	for i, t := range turns {
		if i < most || t.failed {
			chosen = append(chosen, t.id)
		}
	}
	return chosen
}

// lastDrill returns the time of a module's last drill by the schedule on this node.
func (r *execution) lastDrill() time.Time {
	r.upkeep.memory.Lock()
	defer r.upkeep.memory.Unlock()
	var newest time.Time
	for at, last := range r.upkeep.memory.last {
		if at[0] != r.facts.Schedule.ID {
			continue
		}
		run := lastTried(last)
		if run.Node == r.facts.Node && run.Started.After(newest) {
			newest = run.Started
		}
	}
	return newest
}

// lastTried returns the last known drill that was not skipped.
func lastTried(last *history.Last) history.Run {
	if run := last.Run[history.Drill]; run.Outcome != history.Skipped {
		return run
	}
	return last.Done[history.Drill]
}

// tryRestore drills a module.
func (r *execution) tryRestore(ctx context.Context, m *module) history.Run {
	run := r.newRun(m, history.Drill)
	if why := r.tooLate(time.Now()); why != "" {
		run.Outcome, run.Error = history.Skipped, why
		return run
	}
	said := r.upkeep.prefixed(m)
	defer said.Flush()
	sys := &host.System{Stdin: r.sys.Stdin, Stdout: said, Stderr: said, Env: r.sys.Env}
	report := drill.Planned{Schedule: r.facts.Schedule.ID, Module: m.ID, Wait: r.opts.retryFor}.Try(ctx, sys)
	report.Fill(&run)
	if r.metrics.Dir() != "" && ctx.Err() == nil {
		if err := report.WriteMetrics(r.metrics.Dir(), r.facts.Schedule.ID, r.facts.Schedule.Name); err != nil {
			r.sys.Warnf("%s: the metrics of the drill are not written: %v", m.ID, err)
		}
	}
	return run
}
