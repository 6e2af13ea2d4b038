package runbackup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/announce"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/runlive"
	"github.com/rclone-gateway/rclone-gateway/client/runmetrics"
	"github.com/rclone-gateway/rclone-gateway/client/session"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// execution is a run of a schedule on this node.
type execution struct {
	sys      *host.System
	opts     *options
	dir      string
	planned  time.Time
	facts    facts
	wrong    error // in the schedule
	lock     *session.MarkLock
	journal  *journal
	recorder history.Recorder
	upkeep   *upkeep
	metrics  *runmetrics.Files
	live     *runlive.Teller
	announce *announce.Run

	mu    sync.Mutex
	red   bool   // something failed
	noted string // why outcomes are not in Redis

	statusMu sync.Mutex
}

// idPattern matches IDs of schedules that can be part of a file name.
var idPattern = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

// newExecution determines what to run, and locks out other runs of the schedule.
func newExecution(ctx context.Context, sys *host.System, o *options, planned time.Time) (r *execution, err error) {
	r = &execution{sys: sys, opts: o, planned: planned}
	if r.dir, err = history.StateDir(sys.Env, o.stateDir); err != nil {
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
		sys.Warnf("this run goes by what Redis said last time: %v", r.facts.stale)
	}
	if err := r.facts.choose(o.modules); err != nil {
		return nil, err
	}
	r.wrong = r.facts.Schedule.Check(time.Now())
	r.recorder = history.Recorder{Sys: sys, Node: r.facts.Node, Dir: r.dir}
	r.upkeep = newUpkeep(r)
	r.metrics = runmetrics.New(sys, o.metricsDir, &r.facts.Schedule)
	if r.lock, err = session.LockRun(r.dir, id); err != nil {
		return nil, err
	}
	return r, nil
}

// unknown returns the error for an unknown schedule, with NethServer 8's status 1.
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

// run performs the run.
func (r *execution) run(ctx context.Context) error {
	s := &r.facts.Schedule
	now := time.Now()
	r.metrics.Plan(now)
	defer func() { r.metrics.Plan(time.Now()) }()
	r.dropMetrics(ctx)
	if err := r.settle(ctx, now); err != nil {
		return err
	}
	r.storeWaiting(ctx)
	switch {
	case !s.Enabled:
		return r.disabled()
	case s.IsPaused(now):
		return r.skipAll(ctx, "the schedule is paused since "+s.Paused.In(s.Location()).Format(time.RFC3339))
	case s.Quiet.Contain(now.In(s.Location())):
		return r.skipAll(ctx, "it is in the quiet hours "+s.Quiet.String())
	case s.Destination == "":
		return r.failAll(ctx, exit.Failf(exit.Usage, "schedule %s has no destination", s.ID))
	}
	if len(r.facts.Modules) == 0 && r.journal == nil {
		r.sys.Notef("schedule %s has no modules on this node", s.ID)
		return r.record(ctx) // whatever waits
	}
	if r.wrong != nil {
		r.sys.Warnf("the schedule is wrong, so that nothing is deleted: %v", r.wrong)
	}
	if err := r.begin(now); err != nil {
		return err
	}
	r.announce = r.announcement()
	err := r.announce.Begin(ctx)
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case err != nil:
		err = r.failAll(ctx, err)
	default:
		err = r.work(ctx)
	}
	r.announce.End(ctx, err)
	return err
}

// announcement returns the announcement of the run.
func (r *execution) announcement() *announce.Run {
	s := &r.facts.Schedule
	a := &announce.Run{
		Sys: r.sys, StateDir: r.dir, ID: r.journal.ID, Schedule: s.ID, Name: s.Name, Node: r.facts.Node, Destination: s.Destination,
		Planned: r.journal.Planned, Started: r.journal.Started,
	}
	for _, m := range r.journal.Modules {
		a.Modules = append(a.Modules, m.ID)
	}
	return a
}

// work performs the tasks of the run.
func (r *execution) work(ctx context.Context) error {
	r.live = runlive.New(r.sys, r.facts.Node, r.facts.Schedule.ID)
	defer r.live.Stop()
	if r.facts.Leader && r.sys.Env.OnNS8() {
		r.backUpCluster(ctx)
	}
	r.runModules(ctx)
	r.runDrills(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx) // the journal stays for the next start
	}
	r.storeWaiting(ctx)
	return errors.Join(r.conclude(), r.journal.end())
}

// dropMetrics deletes the metrics of deleted schedules.
func (r *execution) dropMetrics(ctx context.Context) {
	others := r.metrics.Others()
	if len(others) == 0 || r.facts.stale != nil {
		return
	}
	rdb, err := r.sys.Redis(ctx, host.LocalAgent)
	if err != nil {
		return // the next run does it
	}
	defer func() { _ = rdb.Close() }()
	for _, id := range others {
		if n, err := rdb.Exists(ctx, catalog.BackupKey(id)).Result(); err == nil && n == 0 {
			r.metrics.Drop(id)
		}
	}
}

func (r *execution) disabled() error {
	id := r.facts.Schedule.ID
	if r.sys.Env.OnNS8() {
		r.sys.Notef("backup schedule %s is not enabled: nothing is run", id)
		return nil
	}
	return exit.Failf(exit.Disabled, "schedule %s is disabled: nothing was run", id)
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

// record records outcomes in Redis, or in a file until Redis is back.
func (r *execution) record(ctx context.Context, runs ...history.Run) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Record past events even after a signal.
	said, err := r.recorder.Record(context.WithoutCancel(ctx), runs...)
	if said != nil && said.Error() != r.noted {
		r.noted = said.Error()
		r.sys.Warnf("outcomes are recorded when Redis is back: %v", said)
	}
	return err
}

// ended records, notes and prints the outcome of a task.
func (r *execution) ended(ctx context.Context, run history.Run) {
	run.Ended = time.Now()
	r.live.End(&run, sentence(&run))
	if err := r.record(ctx, run); err != nil {
		r.sys.Warnf("%s: the outcome of %s is lost: %v", run.Module, run.Kind, err)
	}
	if err := r.journal.note(run.Module, run.Kind, run.Outcome); err != nil {
		r.sys.Warnf("%v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.red && r.bad(run.Outcome) {
		r.red = true
		r.metrics.Write(false)
	}
	said := sentence(&run)
	r.announce.Ended(&run, said)
	r.sys.Notef("%s", said)
}

// bad reports whether an outcome is a failure. NethServer 8 has no partial backups.
func (r *execution) bad(outcome history.Outcome) bool {
	return outcome == history.Failed || outcome == history.Partial && r.sys.Env.OnNS8()
}

// sentence describes an outcome for people.
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
