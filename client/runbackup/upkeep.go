package runbackup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/lease"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/session"
)

// upkeep is what the node does to the repositories of its modules after their backups.
type upkeep struct {
	*execution

	once      sync.Once
	version   restic.Version
	noVersion error

	memory struct {
		once sync.Once
		last map[[2]string]*history.Last
		seen map[string]bool // snapshots that somebody has acknowledged
		err  error
	}

	// hopeless is set when Redis was waited for: others wait no longer.
	mu       sync.Mutex
	hopeless bool
}

func newUpkeep(r *execution) *upkeep { return &upkeep{execution: r} }

// task is one thing that is due.
type task struct {
	kind history.Kind
	do   func(ctx context.Context, w *work, record *history.Run) error
}

// work is the time in which the node works on a module's repository.
type work struct {
	module  *module
	restic  restic.Invocation
	session *session.Session
	// lock is the context of what holds a lease.
	lock context.Context
}

// run does what is due for a module, whose backup came to an outcome.
func (u *upkeep) run(ctx context.Context, m *module, backup history.Outcome) {
	var tasks []task
	for _, t := range u.due(ctx, m) {
		switch {
		case u.journal.outcome(m.ID, t.kind) != "":
		case backup == history.Failed && t.kind != history.Check:
			record := u.newRun(m, t.kind)
			record.Outcome, record.Error = history.Skipped, "the backup failed"
			u.ended(ctx, record)
		case u.wrong != nil && t.kind != history.Check:
			u.fail(ctx, m, t.kind, u.wrong)
		default:
			tasks = append(tasks, t)
		}
	}
	if len(tasks) == 0 || ctx.Err() != nil {
		return
	}
	w, err := u.begin(ctx, m)
	if err != nil {
		for _, t := range tasks {
			if ctx.Err() == nil {
				u.fail(ctx, m, t.kind, err)
			}
		}
		return
	}
	worked := false
	for _, t := range tasks {
		record := u.newRun(m, t.kind)
		err = t.do(w.lock, w, &record)
		if ctx.Err() != nil {
			break // it is done again
		}
		record.Outcome = history.Done
		if err != nil {
			err = run.AskWhy(ctx, u.sys, w.restic.Repository, t.kind != history.Check, err)
			record.Outcome, record.Error, record.ExitStatus = history.Failed, err.Error(), exit.CodeOf(ctx, err)
		}
		worked = worked || err == nil
		u.ended(ctx, record)
	}
	w.session.End(ctx, w.restic, worked, err)
}

func (u *upkeep) fail(ctx context.Context, m *module, kind history.Kind, err error) {
	record := u.newRun(m, kind)
	record.Outcome, record.Error, record.ExitStatus = history.Failed, err.Error(), exit.CodeOf(ctx, err)
	u.ended(ctx, record)
}

// due are the tasks that a module's repository is due for, in their order.
func (u *upkeep) due(ctx context.Context, m *module) []task {
	s := &u.facts.Schedule
	tasks := []task{{history.Retention, u.retain}}
	for _, t := range []struct {
		task

		calendar string
	}{{task{history.Prune, u.prune}, s.Prune}, {task{history.Check, u.check}, s.Plan.Check}} {
		last := u.last(ctx, m).Done[t.kind].Started
		// Without Redis it is not known what is due, and nothing can be done.
		if u.memory.err == nil && s.Due(t.calendar, last, time.Now()) {
			tasks = append(tasks, t.task)
		}
	}
	return tasks
}

// last are the last runs of a module by this schedule.
func (u *upkeep) last(ctx context.Context, m *module) *history.Last {
	u.read(ctx)
	if last := u.memory.last[[2]string{u.facts.Schedule.ID, m.ID}]; last != nil {
		return last
	}
	return &history.Last{}
}

// read reads once what Redis says of the last runs, and of snapshots.
func (u *upkeep) read(ctx context.Context) {
	u.memory.once.Do(func() {
		rdb, err := u.sys.Redis(ctx, host.LocalAgent)
		if err != nil {
			u.memory.err = err
			return
		}
		defer func() { _ = rdb.Close() }()
		u.memory.last, err = history.Latest(ctx, rdb, u.facts.Schedule.ID)
		if err != nil {
			u.memory.err = err
			return
		}
		u.memory.seen, u.memory.err = acknowledged(ctx, rdb, u.facts.Node)
	})
}

// begin gets a lease of a module's repository.
func (u *upkeep) begin(ctx context.Context, m *module) (*work, error) {
	w := &work{module: m}
	var err error
	if w.restic, err = u.invocation(ctx, m); err != nil {
		return nil, err
	}
	node := host.Module{ID: "node" + u.facts.Node, StateDir: u.dir}
	if w.session, err = session.Begin(ctx, u.sys, session.DoesUpkeep, node, &w.restic); err != nil {
		return nil, err
	}
	wait := &run.Waiting{Limit: u.patience()}
	w.lock, err = w.session.LeaseToDelete(ctx, wait, &w.restic, "upkeep")
	if err != nil {
		none, _ := lease.IsNone(err)
		u.give(none)
		w.session.End(ctx, w.restic, false, nil)
		return nil, err
	}
	return w, nil
}

// patience is how long to wait for a lease: for one repository as long as for a module
// that is busy, and not again for each where Redis is away.
func (u *upkeep) patience() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.hopeless {
		return 0
	}
	return u.opts.retryFor
}

func (u *upkeep) give(none bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.hopeless = u.hopeless || none
}

// invocation is restic on a module's repository, as the node.
func (u *upkeep) invocation(ctx context.Context, m *module) (restic.Invocation, error) {
	base := restic.Invocation{Runtime: u.sys.Env.ResticRuntime()}
	if base.Runtime != restic.Native {
		image, err := u.sys.Env.ResticImage()
		if err != nil {
			return base, err
		}
		base.Image, base.Name = image, fmt.Sprintf("restic-node%s-%d-%s", u.facts.Node, os.Getpid(), m.ID)
	}
	u.once.Do(func() { u.version, u.noVersion = restic.Detect(ctx, base) })
	if u.noVersion != nil {
		return base, run.ResticError(restic.Repository{}, u.noVersion)
	}
	base.Version = u.version
	u.sys.Env.ReachGateway(&base)
	if err := u.sys.Env.CheckSocket(base.Version); err != nil {
		return base, err
	}
	rdb, err := u.sys.Redis(ctx, host.LocalAgent)
	if err != nil {
		return base, err
	}
	defer func() { _ = rdb.Close() }()
	base.Repository, err = run.OpenRepository(ctx, u.sys, rdb, u.facts.Schedule.Destination, m.App, m.UUID)
	return base, err
}

// lockPatience is how long restic waits for a lock in the repository, of a run without a
// lease.
const lockPatience = 10 * time.Minute

// locked runs a restic that takes a lock. Where the repository is locked, stale locks are
// removed, and restic waits for the others.
func (u *upkeep) locked(ctx context.Context, w *work, streams restic.Streams, args ...string) error {
	err := w.restic.With(args...).Run(ctx, streams)
	failure, ok := errors.AsType[*restic.Failure](err)
	if !ok || failure.Reason != restic.Locked {
		return explained(ctx, w, err)
	}
	u.sys.Notef("%s: the repository is locked: removing stale locks and trying once more", w.module.ID)
	if err := w.session.RemoveStaleLocks(ctx, w.restic); err != nil {
		return err
	}
	if w.restic.Version.Has(restic.RetryLockVersion) {
		args = append(args, run.RetryLockFlag(lockPatience))
	}
	wait := &run.Waiting{Limit: lockPatience}
	err = wait.ForLock(ctx, u.sys, w.restic, func() error { return w.restic.With(args...).Run(ctx, streams) })
	return explained(ctx, w, err)
}

// explained is an error of restic as people read it; that of a lease that was lost says so.
func explained(ctx context.Context, w *work, err error) error {
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, lease.ErrLost) {
		return exit.Failf(exit.Locked, "stopped: %w", cause)
	}
	return run.ResticError(w.restic.Repository, err)
}

// prefixed passes on what restic says, with the module's name before each line.
func (u *upkeep) prefixed(m *module) *restic.Lines {
	return restic.NewLines(func(line []byte) {
		if text := strings.TrimSpace(string(line)); text != "" {
			fmt.Fprintf(u.sys.Stderr, "%s: %s\n", m.ID, text)
		}
	})
}
