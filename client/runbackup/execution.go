package runbackup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/session"
)

// execution is a run of a schedule on this node.
type execution struct {
	sys      *host.System
	opts     *options
	dir      string
	planned  time.Time
	facts    facts
	wrong    error // with the schedule
	lock     *session.MarkLock
	journal  *journal
	recorder history.Recorder
	upkeep   *upkeep
	metrics  *metrics

	mu     sync.Mutex
	tally  map[history.Outcome]int
	failed []string // modules
	noted  string   // why outcomes are not in Redis
}

// idPattern matches what an ID of a schedule can be a part of: file names.
var idPattern = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

// newExecution finds out what is to be run, and locks out other runs of it.
func newExecution(ctx context.Context, sys *host.System, o *options, planned time.Time) (r *execution, err error) {
	r = &execution{sys: sys, opts: o, planned: planned, tally: map[history.Outcome]int{}}
	if r.dir, err = StateDir(sys.Env, o.stateDir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory for what runs must remember (--state-dir): %w", err)
	}
	if r.facts, err = gather(ctx, sys, r.dir, o.backup); err != nil {
		return nil, r.unknown(err)
	}
	id := r.facts.Schedule.ID
	if !idPattern.MatchString(id) {
		return nil, exit.Failf(exit.Usage, "%q cannot be the ID of a schedule", id)
	}
	if r.facts.stale != nil {
		sys.Warnf("%v: this run goes by what Redis said last time", r.facts.stale)
	}
	if err := r.facts.choose(o.modules); err != nil {
		return nil, err
	}
	r.wrong = r.facts.Schedule.Check(time.Now())
	r.recorder = history.Recorder{Sys: sys, Node: r.facts.Node, Dir: r.dir}
	r.upkeep = newUpkeep(r)
	r.metrics = newMetrics(sys, o.metricsDir, &r.facts.Schedule)
	if r.lock, err = session.LockRun(r.dir, id); err != nil {
		return nil, err
	}
	return r, nil
}

// unknown is the error for a schedule that is not there, whose status NethServer 8 has as 1.
func (r *execution) unknown(err error) error {
	coded, ok := errors.AsType[*exit.Error](err)
	if ok && coded.Code == exit.NotFound && r.sys.Env.OnNS8() {
		return exit.With(exit.Failed, err)
	}
	return err
}

func (r *execution) close() {
	r.lock.Clear()
	r.lock.Release()
}

// run runs what is to be run.
func (r *execution) run(ctx context.Context) error {
	s := &r.facts.Schedule
	if !s.Enabled {
		return r.disabled()
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	now := time.Now()
	switch {
	case s.IsPaused(now):
		return r.skipAll(ctx, "the schedule is paused since "+s.Paused.In(s.Location()).Format(time.RFC3339))
	case s.Quiet.Contain(now.In(s.Location())):
		return r.skipAll(ctx, "it is in the quiet hours "+s.Quiet.String())
	case s.Destination == "":
		return r.failAll(ctx, exit.Failf(exit.Usage, "schedule %s has no destination", s.ID))
	}
	if len(r.facts.Modules) == 0 {
		r.sys.Notef("schedule %s has no modules on this node", s.ID)
		return r.record(ctx) // what waits
	}
	if r.wrong != nil {
		r.sys.Warnf("the schedule is wrong, so that nothing is deleted: %v", r.wrong)
	}
	if err := r.begin(now); err != nil {
		return err
	}
	if r.facts.Leader && r.sys.Env.OnNS8() {
		r.backUpCluster(ctx)
	}
	r.runModules(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx) // the journal stays, for whoever begins again
	}
	if err := r.journal.end(); err != nil {
		return err
	}
	return r.conclude()
}

func (r *execution) disabled() error {
	id := r.facts.Schedule.ID
	if r.sys.Env.OnNS8() {
		r.sys.Notef("backup schedule %s is not enabled: nothing is run", id)
		return nil
	}
	return exit.Failf(exit.Disabled, "schedule %s is disabled: nothing was run", id)
}

// settle finds what a run that was killed has left: it goes on, or what it did not do is
// recorded as failed.
func (r *execution) settle(ctx context.Context) error {
	killed, err := readJournal(r.dir, r.facts.Schedule.ID)
	if err != nil {
		r.sys.Warnf("how far the last run has come cannot be read, so that it does not go on: %v", err)
		return os.Remove(journalFile(r.dir, r.facts.Schedule.ID))
	}
	if killed == nil {
		return nil
	}
	if killed.goesOn(r.planned, time.Now()) {
		r.journal = killed
		return nil
	}
	var lost []history.Run
	for _, m := range killed.Modules {
		if killed.outcome(m.ID, history.Backup) == "" {
			lost = append(lost, history.Run{
				ID: killed.ID, Schedule: r.facts.Schedule.ID, Name: r.facts.Schedule.Name, Module: m.ID, UUID: m.UUID, Kind: history.Backup,
				Outcome: history.Failed, Planned: killed.Planned, Started: killed.Started, Ended: time.Now(),
				Destination: r.facts.Schedule.Destination, Repository: m.path(),
				Error: "the run was killed before it was this module's turn, and was not begun again", ExitStatus: int(exit.Failed),
			})
		}
	}
	if err := r.record(ctx, lost...); err != nil {
		return err
	}
	return killed.end()
}

// begin begins the journal, or goes on with that of the run that was killed.
func (r *execution) begin(now time.Time) (err error) {
	if r.journal == nil {
		r.journal, err = newJournal(r.dir, r.facts.Schedule.ID, r.planned, now, r.facts.Modules)
		return err
	}
	r.sys.Notef("run %s was interrupted: it goes on where it was", r.journal.ID)
	return nil
}

// skipAll records that nothing is run, and why.
func (r *execution) skipAll(ctx context.Context, why string) error {
	if err := r.allAre(ctx, history.Skipped, why, 0); err != nil {
		return err
	}
	return exit.Failf(exit.Disabled, "schedule %s: nothing was run: %s", r.facts.Schedule.ID, why)
}

func (r *execution) failAll(ctx context.Context, why error) error {
	return errors.Join(why, r.allAre(ctx, history.Failed, why.Error(), exit.CodeOf(ctx, why)))
}

func (r *execution) allAre(ctx context.Context, outcome history.Outcome, why string, status int) error {
	id := history.NewID(r.facts.Schedule.ID, time.Now())
	if r.journal != nil {
		id = r.journal.ID
	}
	var runs []history.Run
	for _, m := range r.facts.Modules {
		if r.journal != nil && r.journal.outcome(m.ID, history.Backup) != "" {
			continue
		}
		run := r.newRun(&m, history.Backup)
		run.ID, run.Outcome, run.Error, run.ExitStatus, run.Ended = id, outcome, why, status, time.Now()
		runs = append(runs, run)
	}
	if err := r.record(ctx, runs...); err != nil {
		return err
	}
	if r.journal != nil {
		return r.journal.end()
	}
	return nil
}

// newRun begins the record of a task.
func (r *execution) newRun(m *module, kind history.Kind) history.Run {
	s := &r.facts.Schedule
	run := history.Run{
		Schedule: s.ID, Name: s.Name, Module: m.ID, UUID: m.UUID, Kind: kind, Planned: r.planned, Started: time.Now(),
		Destination: s.Destination, Repository: m.path(),
	}
	if r.journal != nil {
		run.ID = r.journal.ID
	}
	return run
}

// record records outcomes, in Redis or in a file until it is back.
func (r *execution) record(ctx context.Context, runs ...history.Run) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	// What happened is recorded also where a signal ends the run.
	said, err := r.recorder.Record(context.WithoutCancel(ctx), runs...)
	if said != nil && said.Error() != r.noted {
		r.noted = said.Error()
		r.sys.Warnf("outcomes are recorded when Redis is back: %v", said)
	}
	return err
}

// ended records the outcome of a task, notes it, and tells people.
func (r *execution) ended(ctx context.Context, run history.Run) {
	run.Ended = time.Now()
	if err := r.record(ctx, run); err != nil {
		r.sys.Warnf("%s: the outcome of %s is lost: %v", run.Module, run.Kind, err)
	}
	if err := r.journal.note(run.Module, run.Kind, run.Outcome); err != nil {
		r.sys.Warnf("%v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tally[run.Outcome]++
	bad := run.Outcome == history.Failed || run.Outcome == history.Partial && r.sys.Env.OnNS8()
	if bad && !slices.Contains(r.failed, run.Module) {
		r.failed = append(r.failed, run.Module)
		r.metrics.write(false)
	}
	r.sys.Notef("%s", sentence(&run))
}

// sentence is what people are told of an outcome.
func sentence(run *history.Run) string {
	text := fmt.Sprintf("%s: %s %s", run.Module, run.Kind, run.Outcome)
	if run.Snapshot != "" && run.Kind == history.Backup {
		text += " (snapshot " + run.Snapshot[:min(8, len(run.Snapshot))] + ")"
	}
	if run.Detail != "" {
		text += ", " + run.Detail
	}
	if run.Error != "" {
		text += ": " + host.Printable(strings.TrimSpace(run.Error))
	}
	return text
}

// conclude says what the run came to, by its exit status.
func (r *execution) conclude() error {
	id := r.facts.Schedule.ID
	switch {
	case len(r.failed) > 0:
		slices.Sort(r.failed)
		return exit.Failf(exit.Failed, "schedule %s failed for %s: see gatewayctl runs list", id, strings.Join(r.failed, ", "))
	case r.tally[history.Skipped] > 0:
		r.metrics.write(false)
		return exit.Failf(exit.Failed, "schedule %s: %d were skipped: see gatewayctl runs list", id, r.tally[history.Skipped])
	case r.wrong != nil:
		r.metrics.write(false)
		return r.wrong
	case r.tally[history.Partial] > 0:
		r.metrics.write(false)
		return exit.Failf(exit.Partial, "schedule %s: %d snapshots lack something: see gatewayctl runs list", id, r.tally[history.Partial])
	}
	r.metrics.write(true)
	r.sys.Notef("schedule %s: complete", id)
	return nil
}
