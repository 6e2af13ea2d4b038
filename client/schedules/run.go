package schedules

import (
	"context"
	"errors"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
)

func newRun(sys *host.System) *cobra.Command {
	return &cobra.Command{
		Use:   "run NAME",
		Short: "Run a schedule now, on this node, as its time would",
		Long: `Run a schedule now, on this node, as its time would: it is "gatewayctl run-backup", whose
exit status this has, and it needs the credentials of the node. What comes of it is in
the history as a run that was not planned; the next planned one is not moved by it.

A schedule that is disabled or paused, or whose quiet hours it is, runs nothing and ends
with status 17.`,
		Example: `  gatewayctl --env-file node.env schedule run nightly`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Busy, exit.Partial, exit.Redis, exit.NotFound, exit.Disabled,
			exit.Signal),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: names.Complete(sys, names.ScheduleEntries, 1),
		RunE:              func(cmd *cobra.Command, args []string) error { return runSchedule(cmd.Context(), sys, args[0]) },
	}
}

// runSchedule runs run-backup, and exits with its status.
func runSchedule(ctx context.Context, sys *host.System, name string) error {
	run, err := host.Self(ctx, "run-backup", "--backup", name)
	if err != nil {
		return err
	}
	run.Stdout, run.Stderr = sys.Stdout, sys.Stderr
	err = run.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() > 0 {
		return exit.Silent(ended.ExitCode())
	}
	return err
}
