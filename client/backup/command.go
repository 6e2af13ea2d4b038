package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/session"
	"github.com/rclone-gateway/rclone-gateway/client/state"
)

// backupOptions are the flags of module-backup.
type backupOptions struct {
	run.ResticOptions
	run.RecordOptions
	wait   run.Waiting
	dryRun bool
	events bool
	// logProgress prints progress in a form that run-backup parses.
	logProgress bool
	survey      bool
}

// NewCommand returns the command module-backup.
func NewCommand(sys *host.System) *cobra.Command {
	var options backupOptions
	cmd := &cobra.Command{
		Use:   "module-backup [flags] SCHEDULE",
		Short: "Back up a module by a schedule",
		Long: `Back up the module in whose environment this runs to the destination of the
backup schedule with that ID or name, which must list the module (else the exit
status is 2).

Before, the module's command module-dump-state is run, if there is one in bin of its
directory or in PATH, and the module's label and note are saved. Saved are then
state/environment and what state-include.conf in the module's etc directory names,
but for what state-exclude.conf names. At the end, whatever happened,
module-cleanup-state is run. The repository is made if the gateway proves that there
is none.

A backup that lacks something of what was asked for is no success: where an include
line is ignored, matches nothing or no file, where a dump is empty, or where
module-dump-state is there and is not run, each such thing is listed, and the exit
status is 16. Without any include line nothing is done. On NethServer 8, whose
modules live with that, these are warnings, a number among the metrics and a list in
the log. --dry-run says what each line stands for.

While Redis is away, a backup goes by what Redis said at the last one, which lies in
the module's state directory, and by restic's lock alone. Where that is not known,
the exit status is 8.

Where the host reaches no Redis, which REDIS_ADDRESS=none says, all of that is asked of
the gateway, with the module's credentials, and what the backup came to is told to it; if
it does not answer, with the next backup.

With a task of the agent, progress goes to the agent; on a terminal it is a bar,
elsewhere periodic lines.

With --metrics-dir the run's outcome is in a file for Prometheus there,
module-backup-SCHEDULE-MODULE.prom: node_backup_status is 1 after a complete backup
and 0 after any other, and there are the times of the last run, success and
snapshot, and the snapshot's size. Where another backup is running, nothing is
written.`,
		Example: `  module-backup 1
  module-backup --dry-run 1
  module-backup --runtime native --json 1 | jq .
  module-backup --metrics-dir /var/lib/prometheus/node-exporter --log-json 1
  runagent -m mymodule1 module-backup 1`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Busy, exit.Partial, exit.Unreachable, exit.Full,
			exit.Forbidden, exit.Redis, exit.Locked, exit.Password, exit.Incomplete, exit.Signal),
		ValidArgsFunction: names.Complete(sys, names.ScheduleEntries, 1),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 && !options.survey {
				return errors.New("give the name or the ID of one backup schedule")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if options.survey {
				return runSurvey(sys)
			}
			record := run.NewRecord(sys, "module-backup")
			err := moduleBackup(cmd.Context(), sys, options, args[0], record)
			if !options.dryRun {
				options.Finish(cmd.Context(), sys, record, err)
				if !options.logProgress { // else run-backup records it
					tellOutcome(cmd.Context(), sys, record)
				}
			}
			if err != nil && options.events {
				_ = json.NewEncoder(sys.Stdout).Encode(newFailureEvent(cmd.Context(), err))
			}
			return err
		},
	}
	options.ResticOptions.AddFlags(cmd)
	options.RecordOptions.AddFlags(cmd)
	options.wait.AddFlag(cmd.Flags())
	cmd.Flags().BoolVar(&options.dryRun, "dry-run", false, "say what would be saved and run, and do nothing")
	cmd.Flags().BoolVar(&options.events, "json", false, "write progress and outcome to stdout, one JSON object on a line")
	cmd.Flags().BoolVar(&options.logProgress, run.LogProgressFlag, false, "")
	_ = cmd.Flags().MarkHidden(run.LogProgressFlag)
	cmd.Flags().BoolVar(&options.survey, surveyFlag, false, "")
	_ = cmd.Flags().MarkHidden(surveyFlag)
	return cmd
}

func moduleBackup(ctx context.Context, sys *host.System, options backupOptions, id string, record *run.Record) error {
	record.Schedule = id
	wait := &options.wait
	if err := wait.Check(); err != nil {
		return err
	}
	if !options.dryRun {
		if err := wait.Retry(ctx, sys, func() error { return session.RecoverEnvironment(sys) }); err != nil {
			return err
		}
	}
	m, err := sys.Env.Module()
	if err != nil {
		return err
	}
	if options.dryRun {
		job, err := prepareBackup(ctx, sys, &options, m, id, record)
		if err != nil {
			return err
		}
		return dryRun(ctx, sys, job)
	}
	var lock *session.MarkLock
	err = wait.Retry(ctx, sys, func() (err error) {
		lock, err = session.LockBackups(m.StateDir)
		return err
	})
	if err != nil {
		return err
	}
	defer lock.Release()
	defer lock.Clear()
	job, err := prepareBackup(ctx, sys, &options, m, id, record)
	if err != nil {
		return err
	}
	lock.HandTo(&job.plan.restic)
	record.Schedule = job.id
	record.ScheduleName, record.Repository = job.plan.scheduleName, job.plan.restic.Repository.URL
	outcome, err := job.run(ctx)
	err = run.AskWhy(ctx, sys, job.plan.restic.Repository, true, err)
	if outcome != nil {
		outcome.note(record)
		err = errors.Join(outcome.report(sys, options.events), err)
	}
	return err
}

// prepareBackup plans the backup. It changes nothing.
func prepareBackup(ctx context.Context, sys *host.System, options *backupOptions, m host.Module, id string, record *run.Record) (*backupJob, error) {
	if _, err := os.Stat(filepath.Join(m.StateDir, "environment")); err != nil {
		return nil, fmt.Errorf("without state/environment a backup could not be restored: %w", err)
	}
	told, err := askOrRecall(ctx, sys, &options.wait, m, id, !options.dryRun)
	if err != nil {
		return nil, err
	}
	if told.stale != nil {
		sys.Warnf("this backup goes by what Redis said last: %v", told.stale)
	}
	record.Known = told.schedule.ID
	facts, err := gatherBackupFacts(ctx, sys, told, *options, m)
	if err != nil {
		return nil, err
	}
	job := &backupJob{
		sys: sys, wait: &options.wait, module: m, id: facts.schedule.ID, dumps: told.dumps, probe: run.NewProbe(sys.Env), plan: planBackup(facts),
	}
	for _, warning := range host.LimitWarnings(job.plan.warnings) {
		sys.Warnf("%s", warning)
	}
	job.progress = run.NewProgress(sys, options.events, 1, 95)
	if options.logProgress && !options.events {
		job.progress = run.LogProgress(sys)
	}
	return job, nil
}

// gatherBackupFacts collects from Podman and the module's files what Redis does not know.
func gatherBackupFacts(ctx context.Context, sys *host.System, told told, options backupOptions, m host.Module) (facts backupFacts, err error) {
	facts.module, facts.rootfull = m, os.Geteuid() == 0
	facts.schedule, facts.repository = told.schedule, told.repository
	if facts.base, err = options.Unversioned(ctx, sys, m); err != nil {
		return facts, err
	}
	if facts.base.Runtime == restic.Podman {
		if facts.volumes, err = state.ListPodmanVolumes(ctx); err != nil {
			return facts, err
		}
	}
	installDir, err := sys.Env.InstallDir()
	if err != nil {
		return facts, err
	}
	if facts.includes, err = state.ReadIncludes(installDir); err != nil {
		return facts, err
	}
	if facts.excludes, err = state.ReadExcludes(installDir); err != nil {
		return facts, err
	}
	facts.dump, facts.cleanUp, facts.onNS8 = state.HookOf(sys.Env, state.DumpHook), state.HookOf(sys.Env, state.CleanUpHook), sys.Env.OnNS8()
	if len(facts.includes.Patterns) == 0 && !facts.onNS8 {
		for _, warning := range host.LimitWarnings(facts.includes.Warnings) {
			sys.Warnf("%s", warning)
		}
		return facts, noIncludes(facts.includes.File, installDir, nativeVolumes(facts.base))
	}
	return facts, nil
}

// dryRun prints what the backup would do. It returns the error that the backup would
// return, as far as that is known without running the module's commands.
func dryRun(ctx context.Context, sys *host.System, job *backupJob) error {
	found, err := job.plan.survey.run(ctx, survey{Whole: true})
	if err != nil {
		return err
	}
	if err := job.plan.print(sys.Stdout, found); err != nil {
		return err
	}
	if job.plan.dump.Path == "" { // the module's command may still create what is missing
		job.plan.miss(sys, job.plan.survey.shortfalls(found))
	}
	for _, hook := range []state.Hook{job.plan.dump, job.plan.cleanUp} {
		for _, wrong := range hook.Unusable {
			sys.Warnf("%s", wrong)
		}
	}
	for _, idle := range job.plan.survey.idleExcludes(found) {
		sys.Warnf("%s", idle)
	}
	return job.plan.judge(nil)
}

// print prints the plan.
func (p backupPlan) print(w io.Writer, found findings) error {
	invocation := p.restic.With(p.args(backupRun{scan: true})...)
	var text strings.Builder
	fmt.Fprintf(&text, "repository %s\n", p.restic.Repository)
	fmt.Fprintf(&text, "directory  %s\n", p.restic.Dir)
	for _, m := range p.restic.Mounts {
		fmt.Fprintf(&text, "mount      %s at %s\n", m.Source, m.Target)
	}
	for _, pattern := range found.Includes {
		fmt.Fprintf(&text, "include    %s: %s\n", pattern.Pattern, pattern)
	}
	for _, pattern := range p.excludes {
		fmt.Fprintf(&text, "exclude    %s\n", pattern)
	}
	if p.dump.Path != "" {
		fmt.Fprintf(&text, "run before %s\n", p.dump.Path)
	}
	if p.cleanUp.Path != "" {
		fmt.Fprintf(&text, "run after  %s\n", p.cleanUp.Path)
	}
	fmt.Fprintf(&text, "command    %q\n", invocation.Argv())
	_, err := io.WriteString(w, text.String())
	return err
}
