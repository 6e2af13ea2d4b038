package runbackup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
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

// upkeep is the node's work on its modules' repositories after their backups.
type upkeep struct {
	*execution

	once      sync.Once
	version   restic.Version
	noVersion error

	memory struct {
		sync.Mutex

		known bool
		last  map[[2]string]*history.Last
		seen  map[string]bool // snapshots that somebody has acknowledged
	}
}

func newUpkeep(r *execution) *upkeep { return &upkeep{execution: r} }

// task is something that is due.
type task struct {
	kind history.Kind
	do   func(ctx context.Context, w *work, record *history.Run) error
}

// work is the node's work on one repository.
type work struct {
	module  *module
	restic  restic.Invocation
	session *session.Session
	// lock is the context of work that needs the lease.
	lock context.Context
}

// run does what is due for a module after its backup. If the repository is in use or Redis
// is down, the module gets another turn.
func (u *upkeep) run(ctx context.Context, t *turn, backup history.Outcome) {
	m := &t.module
	due, err := u.due(ctx, t)
	var tasks []task
	for _, t := range due {
		if ctx.Err() == nil && !u.settled(ctx, m, t.kind, backup) {
			tasks = append(tasks, t)
		}
	}
	if ctx.Err() != nil || len(tasks) == 0 && err == nil {
		return
	}
	var w *work
	if err == nil {
		w, err = u.begin(ctx, m)
	}
	switch {
	case ctx.Err() != nil:
		// Nothing started; the continued run does it.
	case err != nil && run.Passes(err) && u.tryAgain(t, err):
		return
	case err != nil:
		for _, t := range tasks {
			u.fail(ctx, m, t.kind, err)
		}
		return
	}
	if w != nil {
		u.work(ctx, w, tasks)
	}
}

// settled reports whether a task has an outcome; it records one for tasks that must not
// run.
func (u *upkeep) settled(ctx context.Context, m *module, kind history.Kind, backup history.Outcome) bool {
	late := u.tooLate(time.Now())
	switch {
	case u.journal.outcome(m.ID, kind) != "":
	case backup == history.Failed && kind == history.Retention:
		u.skip(ctx, m, kind, "the backup failed")
	case late != "":
		u.skip(ctx, m, kind, late)
	case u.wrong != nil && kind != history.Check:
		u.fail(ctx, m, kind, u.wrong)
	default:
		return false
	}
	return true
}

// work performs tasks, and records an outcome for each.
func (u *upkeep) work(ctx context.Context, w *work, tasks []task) {
	var err error
	worked := false
	for _, t := range tasks {
		record := u.newRun(w.module, t.kind)
		u.live.Begin(&record)
		err = t.do(w.lock, w, &record)
		if ctx.Err() != nil {
			break // it is repeated
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

func (u *upkeep) skip(ctx context.Context, m *module, kind history.Kind, why string) {
	record := u.newRun(m, kind)
	record.Outcome, record.Error = history.Skipped, why
	u.ended(ctx, record)
}

// due returns the tasks that are due for a repository, in order. While Redis is down it
// returns the known ones and an error. If the destination is full, prune is due at once.
func (u *upkeep) due(ctx context.Context, t *turn) ([]task, error) {
	m, s := &t.module, &u.facts.Schedule
	err := u.remember(ctx)
	known := u.journal.due(m.ID)
	tasks := []task{{history.Retention, u.retain}}
	var due []history.Kind
	for _, t := range []struct {
		task

		calendar string
		now      bool
	}{{task{history.Prune, u.prune}, s.Prune, t.full}, {task{history.Check, u.check}, s.Plan.Check, false}} {
		isDue := t.now || slices.Contains(known, t.kind)
		if err == nil {
			isDue = isDue || s.Due(t.calendar, u.last(m).Done[t.kind].Started, time.Now())
		}
		if isDue {
			tasks, due = append(tasks, t.task), append(due, t.kind)
		}
	}
	if err == nil && !slices.Equal(due, known) {
		err = u.journal.plan(m.ID, due)
	}
	return tasks, err
}

// last returns the last known runs of a module by this schedule.
func (u *upkeep) last(m *module) *history.Last {
	u.memory.Lock()
	defer u.memory.Unlock()
	if last := u.memory.last[[2]string{u.facts.Schedule.ID, m.ID}]; last != nil {
		return last
	}
	return &history.Last{}
}

// acknowledged reports whether somebody has acknowledged a snapshot.
func (u *upkeep) acknowledged(snapshot string) bool {
	u.memory.Lock()
	defer u.memory.Unlock()
	return u.memory.seen[snapshot]
}

// remember reads the last runs, and the acknowledged snapshots, from Redis once.
func (u *upkeep) remember(ctx context.Context) error {
	u.memory.Lock()
	defer u.memory.Unlock()
	if u.memory.known {
		return nil
	}
	rdb, err := u.sys.Redis(ctx, host.LocalAgent)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	if u.memory.last, err = history.Latest(ctx, rdb, u.facts.Schedule.ID); err != nil {
		return err
	}
	u.memory.seen, err = acknowledged(ctx, rdb, u.facts.Node)
	u.memory.known = err == nil
	return err
}

// begin gets a lease of a module's repository, without waiting for another holder.
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
	w.lock, err = w.session.LeaseToDelete(ctx, &run.Waiting{}, &w.restic, "upkeep")
	if err != nil {
		w.session.End(ctx, w.restic, false, nil)
		return nil, err
	}
	return w, nil
}

// invocation returns the restic invocation for a module's repository, as the node.
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

// lockPatience is how long restic waits for a lock in the repository, without a lease.
const lockPatience = 10 * time.Minute

// locked runs a restic that takes a lock. If the repository is locked, it removes stale
// locks, and restic waits for the others.
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

// explained adds advice to an error of restic, or says that the lease was lost.
func explained(ctx context.Context, w *work, err error) error {
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, lease.ErrLost) {
		return exit.Failf(exit.Locked, "stopped: %w", cause)
	}
	return run.ResticError(w.restic.Repository, err)
}

// prefixed prints restic's output, each line after the module's name.
func (u *upkeep) prefixed(m *module) *restic.Lines {
	return restic.NewLines(func(line []byte) {
		if text := strings.TrimSpace(string(line)); text != "" {
			u.live.Say(m.ID, text)
			fmt.Fprintf(u.sys.Stderr, "%s: %s\n", m.ID, text)
		}
	})
}
