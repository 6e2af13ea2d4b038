package restore

import (
	"context"
	"os"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// Aim is a snapshot and an empty directory to restore it to.
type Aim struct {
	// Module is the module that was saved. Its state directory gets the note of the run, so
	// that the next run removes the lock of a killed one.
	Module host.Module
	// Base is the restic invocation, with the repository.
	Base restic.Invocation
	// Snapshot is an ID, or "" for the latest.
	Snapshot string
	Target   string
	Wait     *run.Waiting
}

// Restored is the result of Into.
type Restored struct {
	Snapshot     string
	Time         time.Time // of the snapshot
	Files, Bytes uint64
	Took         time.Duration // restic's time
}

// Into restores a snapshot's data into a directory, like restore-module --target. Beside an
// error, the result holds what is known.
func Into(ctx context.Context, sys *host.System, aim Aim) (Restored, error) {
	var done Restored
	opts := &restoreOptions{target: aim.Target, wait: *aim.Wait}
	facts := restoreFacts{module: aim.Module, rootfull: os.Geteuid() == 0, base: aim.Base, opts: opts}
	if err := checkAnswers(ctx, sys, aim.Base.Repository); err != nil {
		return done, err
	}
	var err error
	facts.snapshot, err = findSnapshot(ctx, facts.base, aim.Snapshot, nil)
	done.Snapshot, done.Time = facts.snapshot.id, facts.snapshot.time
	if err != nil {
		return done, err
	}
	plan, err := planRestore(facts)
	if err != nil {
		return done, err
	}
	record := run.NewRecord(sys, "restore-module")
	started := time.Now()
	restoring := restoreRun{sys: sys, wait: &opts.wait, module: aim.Module, plan: plan, record: record, clear: func() error { return nil }}
	err = restoring.restore(ctx)
	done.Took, done.Files, done.Bytes = time.Since(started), record.Files, record.Bytes
	return done, err
}
