package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/keys"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/session"
	"github.com/rclone-gateway/rclone-gateway/client/state"
)

// cleanupTime bounds module-cleanup-state, which runs even after a signal.
const cleanupTime = 5 * time.Minute

// backupJob carries out a plan.
type backupJob struct {
	sys      *host.System
	wait     *run.Waiting
	module   host.Module
	id       string        // of the schedule; an argument of the module's commands
	dumps    []keys.Dumped // of the module's keys
	probe    run.Probe
	plan     backupPlan
	progress run.Progress
}

// backupOutcome describes the snapshot that a backup made.
type backupOutcome struct {
	summary restic.Summary
	// unreadable lists the files that could not be read.
	unreadable []restic.FileError
	// missing lists what else was to be saved and is not in the snapshot.
	missing []string
}

// run makes the backup. If the snapshot was made but is incomplete, it returns both an
// outcome and an error. It opens the repository before anything else, so that an
// unreachable one does not disturb the module.
func (j *backupJob) run(ctx context.Context) (outcome *backupOutcome, err error) {
	current, err := session.Begin(ctx, j.sys, session.DoesBackup, j.module, &j.plan.restic)
	if err != nil {
		return nil, err
	}
	defer func() { current.End(ctx, j.plan.restic, outcome != nil, err) }()
	if err := session.SettleEnvironment(j.module.StateDir); err != nil {
		return nil, err
	}
	exists, err := j.probe.Exists(ctx, j.plan.restic.Repository)
	if err != nil {
		return nil, err
	}
	if err := current.LeaseForBackup(ctx, j.wait, &j.plan.restic, "backup"); err != nil {
		return nil, err
	}
	if j.plan.restic.Version, err = restic.Detect(ctx, j.plan.restic); err != nil {
		return nil, run.ResticError(restic.Repository{}, err)
	}
	if err := j.sys.Env.CheckSocket(j.plan.restic.Version); err != nil {
		return nil, err
	}
	parent, err := j.openRepository(ctx, exists)
	if err != nil {
		return nil, err
	}
	outcome, err = j.backupState(ctx, current, parent)
	if outcome != nil {
		outcome.missing = j.plan.missing
		err = j.plan.judge(err)
	}
	return outcome, withCleanUp(err, j.cleanUp(ctx))
}

// withCleanUp joins the errors of a backup and of the clean-up after it. The backup's exit
// status wins, unless it reports an incomplete snapshot.
func withCleanUp(err, cleanUp error) error {
	if cleanUp == nil {
		return err
	}
	coded, ok := errors.AsType[*exit.Error](err)
	if err == nil || ok && (coded.Code == exit.Partial || coded.Code == exit.Incomplete) {
		return exit.With(exit.Failed, errors.Join(cleanUp, err))
	}
	return errors.Join(err, cleanUp)
}

// openRepository initializes the repository if it provably does not exist, and returns the
// parent for the next snapshot.
func (j *backupJob) openRepository(ctx context.Context, exists bool) (parent string, err error) {
	base := j.plan.restic
	if !exists {
		j.progress.Say("making repository " + base.Repository.String())
		return "", run.ResticError(base.Repository, base.With("init").Run(ctx, restic.Streams{}))
	}
	snapshots, err := listSnapshots(ctx, base)
	if err != nil {
		return "", err
	}
	return latestParent(snapshots), nil
}

// backupState lets the module prepare its state, and saves it.
func (j *backupJob) backupState(ctx context.Context, session *session.Session, parent string) (*backupOutcome, error) {
	dumps, err := keys.WriteStateDumps(j.module.StateDir, j.dumps)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := state.RunHook(ctx, j.sys, j.plan.dump, j.module.StateDir, j.id); err != nil {
		return nil, err
	}
	if err := j.look(ctx, began); err != nil {
		return nil, err
	}
	if err := j.writePatterns(); err != nil {
		return nil, err
	}
	attempt := backupRun{parent: parent, dumps: dumps, scan: j.progress.WantsTotal()}
	outcome, err := j.snapshot(ctx, j.plan.args(attempt))
	if failure, ok := errors.AsType[*restic.Failure](err); ok && failure.Reason == restic.Locked {
		j.progress.Say("the repository is locked: removing stale locks and trying once more")
		if err := session.RemoveStaleLocks(ctx, j.plan.restic); err != nil {
			return nil, err
		}
		attempt.retryLock = j.wait.ResticFlag()
		err = j.wait.ForLock(ctx, j.sys, j.plan.restic, func() (err error) {
			outcome, err = j.snapshot(ctx, j.plan.args(attempt))
			return err
		})
	}
	return outcome, run.ResticError(j.plan.restic.Repository, err)
}

// writePatterns writes the pattern files for restic.
func (j *backupJob) writePatterns() error {
	for name, lines := range map[string][]string{includeFile: j.plan.includes, excludeFile: j.plan.excludes} {
		var text strings.Builder
		for _, line := range lines {
			text.WriteString(line + "\n")
		}
		if err := os.WriteFile(j.patternPath(name), []byte(text.String()), 0o600); err != nil {
			return fmt.Errorf("write the patterns for restic: %w", err)
		}
	}
	return nil
}

// patternPath returns our path of a pattern file that restic sees as name.
func (j *backupJob) patternPath(name string) string {
	return filepath.Join(j.module.StateDir, filepath.Base(name))
}

// snapshot runs restic backup. The outcome is nil if no snapshot was made.
func (j *backupJob) snapshot(ctx context.Context, args []string) (*backupOutcome, error) {
	outcome := new(backupOutcome)
	made := false
	err := run.Listen(ctx, j.plan.restic.With(args...), j.Say, func(event restic.Event, _ []byte) {
		switch event := event.(type) {
		case *restic.Status:
			j.progress.Update(*event)
		case *restic.Summary:
			outcome.summary, made = *event, true
			// Restic 0.14 prints only the short ID, so every version reports that.
			outcome.summary.SnapshotID = restic.ShortID(event.SnapshotID)
		case *restic.FileError:
			// Errors of the scan occur again when the file is saved.
			if event.During != "scan" {
				outcome.unreadable = append(outcome.unreadable, *event)
			}
		}
	})
	j.progress.Done()
	if !made {
		return nil, err
	}
	return outcome, err
}

// Say prints a message of restic, unless it was printed before.
func (j *backupJob) Say(line string) {
	if len(j.plan.missing) == 0 || !strings.HasSuffix(line, "does not match any files, skipping") {
		j.progress.Say(line)
	}
}

// cleanUp removes everything that the backup created. A signal does not stop it.
func (j *backupJob) cleanUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	_ = os.Remove(j.patternPath(includeFile))
	_ = os.Remove(j.patternPath(excludeFile))
	return errors.Join(
		state.RunHook(ctx, j.sys, j.plan.cleanUp, j.module.StateDir, j.id),
		keys.RemoveStateDumps(j.module.StateDir),
	)
}
