package client

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// restoreData is the step 10restore: it runs restic restore.
func restoreData(ctx context.Context, sys *system, gather func() (restoreFacts, error), opts *restoreOptions, record *runRecord) error {
	facts, err := gather()
	record.Repository = facts.base.Repository.URL
	if err != nil {
		return err
	}
	plan, err := planRestore(facts)
	if err != nil {
		return err
	}
	for _, w := range limitWarnings(plan.warnings) {
		sys.warnf("%s", w)
	}
	run := restoreRun{sys: sys, wait: &opts.wait, module: facts.module, plan: plan, record: record, clear: func() error {
		return plan.assist.clear(ctx, facts.base, facts.snapshot, opts.paths)
	}}
	if opts.target != "" {
		return run.restore(ctx)
	}
	if facts.base.Runtime == restic.Native {
		if err := checkWritable(facts.base); err != nil {
			return err
		}
	}
	if !plan.partial {
		run.resultFile = filepath.Join(facts.module.stateDir, "restic_restore.json")
	}
	return run.inPlace(ctx)
}

// gatherRestoreFacts asks Redis, the module's files and the repository, which the facts
// name, once it is known, beside an error too.
func gatherRestoreFacts(ctx context.Context, sys *system, request restoreRequest, opts *restoreOptions) (facts restoreFacts, err error) {
	facts.opts, facts.rootfull = opts, os.Geteuid() == 0
	if facts.module, err = sys.env.module(); err != nil {
		return facts, err
	}
	if facts.includes, err = moduleIncludes(sys); err != nil {
		return facts, err
	}
	repository, err := requestedRepository(ctx, sys, request, &opts.wait)
	if err != nil {
		return facts, err
	}
	if facts.base, err = opts.restic.newInvocation(ctx, sys, facts.module); err != nil {
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
	var mark *markLock
	err := r.wait.retry(ctx, r.sys, func() (err error) {
		mark, err = lockRestores(r.module.stateDir)
		return err
	})
	if err != nil {
		return err
	}
	defer mark.release()
	mark.handTo(&r.plan.restic)
	if mark.interrupted {
		r.sys.notef("the last restore was not completed")
		// Restic leaves no holes in a file that it finds half written.
		r.plan.assist.Sparse, r.plan.assist.finishes = true, true
	}
	restore := func() error { return r.restore(ctx) }
	if r.plan.partial || isKept(r.module.stateDir) {
		err = keepingEnvironment(r.module.stateDir, restore)
	} else {
		err = restore()
	}
	if err != nil {
		return err
	}
	return mark.remove()
}

func moduleIncludes(sys *system) (includes, error) {
	installDir, err := sys.env.installDir()
	if err != nil {
		return includes{}, err
	}
	return readIncludes(installDir)
}

func requestedRepository(ctx context.Context, sys *system, request restoreRequest, wait *waiting) (restic.Repository, error) {
	rdb, err := wait.redis(ctx, sys)
	if err != nil {
		return restic.Repository{}, err
	}
	defer func() { _ = rdb.Close() }()
	return openRepository(ctx, sys, rdb, request.Repository, request.app(), request.uuid())
}

// checkAnswers reports an error if the destination does not answer: restic would ask
// it for many minutes. What it answers is for restic to judge.
func checkAnswers(ctx context.Context, sys *system, repository restic.Repository) error {
	_, err := newProbe(sys.env).exists(ctx, repository)
	if coded, ok := errors.AsType[*codedError](err); ok && coded.code != exitUnreachable {
		return nil
	}
	return err
}
