package runbackup

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/notify"
)

// options are the flags of run-backup.
type options struct {
	backup     string
	modules    []string
	planned    string
	stateDir   string
	metricsDir string
	retryEvery time.Duration
	retryFor   time.Duration
}

// NewCommand returns the command run-backup.
func NewCommand(sys *host.System) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "run-backup [flags] --backup SCHEDULE",
		Short: "Run a schedule on this node: backups, retention, prune, check, drill",
		Long: `Run a schedule on this node, with the credentials of the node: back up its modules that
are here, as many at once as the schedule says, each by its own module-backup; then let
old snapshots go, and prune and check the repositories of which that is due. Modules that
are busy are tried again. When all are backed up, the drills that are due prove that
backups can be restored, as "gatewayctl drill" does: of the modules whose last drill is
the longest ago, and again of those whose last one failed.

Each of these is an outcome of its own in the history (see "gatewayctl status" and
"gatewayctl runs"): a backup whose retention or check fails is not green. Where one module
fails, the others go on.

A run that was killed goes on where it was when it is started again. Two runs of one
schedule on a node exclude each other (exit status 3); runs of different schedules that
have a repository in common wait for each other there. What deletes needs a lease of the
repository, and so Redis; backups do without it.

A schedule that is disabled or paused, or whose quiet hours it is, runs nothing and ends
with status 17; with NethServer 8 a disabled one ends with 0, as its own command does.

Programs of this node's in the directories before, after and failure of
/etc/rclone-gateway/hooks.d are run before the run, after it, and where something failed,
with what is known of it in BACKUP_… variables. One before the run that fails makes the
run fail. Where notify.conf says so, people are told how the run ended (see "gatewayctl
notify"), and healthchecks when it began and ended.

--metrics-dir gets three kinds of files: backup<ID>.prom, as NethServer 8 has it, whether
the last run was complete; run-backup-<ID>.prom, when the schedule runs next; and
module-drill-<ID>-<MODULE>.prom, what the module's last drill came to.`,
		Example:     `  gatewayctl run-backup --backup 1 --module myapp1`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Busy, exit.Partial, exit.Redis, exit.NotFound, exit.Disabled, exit.Signal),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), sys)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.backup, "backup", "", "the schedule, by `NAME` or ID")
	names.CompleteFlag(cmd, "backup", names.Complete(sys, names.ScheduleEntries, names.AnyNumber))
	flags.StringArrayVar(&o.modules, "module", nil, "only this module of it, by `ID`; may be repeated")
	names.CompleteFlag(cmd, "module", names.Complete(sys, names.ModuleEntries, names.AnyNumber))
	flags.StringVar(&o.planned, "planned", "", "`TIME` that the run was planned for, as in RFC 3339, for the history (default: it was not planned)")
	flags.StringVar(&o.stateDir, "state-dir", "", "`DIR` of this node for what runs must remember (default: $GATEWAYCTL_STATE_DIR, $STATE_DIRECTORY, with NethServer 8 the node's state directory, /var/lib/rclone-gateway-runs for root, or else below ~/.local/state)")
	flags.StringVar(&o.metricsDir, "metrics-dir", "", "write files of Prometheus metrics into `DIR` (default: NS8_METRICS_DIR, with NethServer 8 node_exporter)")
	flags.DurationVar(&o.retryEvery, "retry-every", time.Minute, "try modules that are busy again after `DURATION`")
	flags.DurationVar(&o.retryFor, "retry-for", time.Hour, "for `DURATION` at most")
	return cmd
}

func (o *options) run(ctx context.Context, sys *host.System) error {
	planned, err := o.check()
	if err != nil {
		return err
	}
	r, err := newExecution(ctx, sys, o, planned)
	if err != nil {
		return err
	}
	defer r.close()
	err = r.run(ctx)
	if ctx.Err() == nil {
		notify.AfterRun(ctx, sys, r.dir)
	}
	return err
}

func (o *options) check() (planned time.Time, err error) {
	switch {
	case o.backup == "":
		return planned, exit.Failf(exit.Usage, "name a schedule with --backup: see gatewayctl schedule list")
	case o.retryEvery <= 0 || o.retryFor < 0:
		return planned, exit.Failf(exit.Usage, "--retry-every must be more than 0, and --retry-for not negative")
	}
	if o.planned != "" {
		if planned, err = time.Parse(time.RFC3339, o.planned); err != nil {
			return planned, exit.Failf(exit.Usage, "--planned %q: give a time such as 2026-11-29T02:00:00Z", o.planned)
		}
	}
	return planned, nil
}
