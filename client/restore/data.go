package restore

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/facts"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/session"
	"github.com/rclone-gateway/rclone-gateway/client/state"
)

// restoreData is the step 10restore: it runs restic restore.
func restoreData(ctx context.Context, sys *host.System, gather func() (restoreFacts, error), opts *restoreOptions, record *run.Record) error {
	facts, err := gather()
	record.Repository = facts.base.Repository.URL
	if err != nil {
		return err
	}
	plan, err := planRestore(facts)
	if err != nil {
		return err
	}
	for _, w := range host.LimitWarnings(plan.warnings) {
		sys.Warnf("%s", w)
	}
	run := restoreRun{sys: sys, wait: &opts.wait, module: facts.module, plan: plan, record: record, clear: func() error {
		return plan.assist.clear(ctx, facts.base, facts.snapshot, opts.paths)
	}}
	if opts.target != "" {
		return run.restore(ctx)
	}
	if facts.base.Runtime == restic.Native {
		if err := state.CheckWritable(facts.base); err != nil {
			return err
		}
	}
	if !plan.partial {
		run.resultFile = filepath.Join(facts.module.StateDir, "restic_restore.json")
	}
	return run.inPlace(ctx)
}

// gatherRestoreFacts collects facts from Redis, the module's files and the repository.
// Beside an error, the facts name the repository once it is known.
func gatherRestoreFacts(ctx context.Context, sys *host.System, request restoreRequest, opts *restoreOptions) (facts restoreFacts, err error) {
	facts.opts, facts.rootfull = opts, os.Geteuid() == 0
	if facts.module, err = sys.Env.Module(); err != nil {
		return facts, err
	}
	if facts.includes, err = moduleIncludes(sys); err != nil {
		return facts, err
	}
	repository, err := requestedRepository(ctx, sys, request, &opts.wait)
	if err != nil {
		return facts, err
	}
	if !opts.at.IsZero() {
		if repository, err = run.At(ctx, sys, repository, opts.at); err != nil {
			return facts, err
		}
	}
	if facts.base, err = opts.restic.NewInvocation(ctx, sys, facts.module); err != nil {
		return facts, err
	}
	facts.base.Repository = repository
	if err := checkAnswers(ctx, sys, repository); err != nil {
		return facts, err
	}
	facts.snapshot, err = findSnapshot(ctx, facts.base, request.Snapshot, opts.paths)
	return facts, err
}

// inPlace restores into the module's own directories.
func (r *restoreRun) inPlace(ctx context.Context) error {
	var mark *session.MarkLock
	err := r.wait.Retry(ctx, r.sys, func() (err error) {
		mark, err = session.LockRestores(r.module.StateDir)
		return err
	})
	if err != nil {
		return err
	}
	defer mark.Release()
	mark.HandTo(&r.plan.restic)
	if mark.Interrupted {
		r.sys.Notef("the last restore was not completed")
		// Restic does not make holes in a partly written file.
		r.plan.assist.Sparse, r.plan.assist.finishes = true, true
	}
	restore := func() error { return r.restore(ctx) }
	if r.plan.partial || session.IsKept(r.module.StateDir) {
		err = session.KeepingEnvironment(r.module.StateDir, restore)
	} else {
		err = restore()
	}
	if err != nil {
		return err
	}
	return mark.Remove()
}

func moduleIncludes(sys *host.System) (state.Includes, error) {
	installDir, err := sys.Env.InstallDir()
	if err != nil {
		return state.Includes{}, err
	}
	return state.ReadIncludes(installDir)
}

func requestedRepository(ctx context.Context, sys *host.System, request restoreRequest, wait *run.Waiting) (restic.Repository, error) {
	source, done, err := facts.Open(ctx, sys, wait)
	if err != nil {
		return restic.Repository{}, err
	}
	defer done()
	return source.Repository(ctx, request.Repository, request.app(), request.uuid())
}

// checkAnswers returns an error if the destination does not answer: restic would retry for
// many minutes. Any answer is left for restic to judge.
func checkAnswers(ctx context.Context, sys *host.System, repository restic.Repository) error {
	_, err := run.NewProbe(sys.Env).Exists(ctx, repository)
	if coded, ok := errors.AsType[*exit.Error](err); ok && coded.Code != exit.Unreachable {
		return nil
	}
	return err
}
