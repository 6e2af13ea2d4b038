package accounts

import (
	"errors"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
)

func newScheduleRun(sys *host.System) *cobra.Command {
	return &cobra.Command{
		Use:   "run NAME",
		Short: "Run a schedule now, as its time would",
		Long: `Run a schedule now, on this node, as its time would: what run-backup does, whose exit
status this has.`,
		Example:           `  gatewayctl schedule run nightly`,
		Annotations:       exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Redis, exit.NotFound, exit.Signal),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: names.Complete(sys, names.ScheduleEntries, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := host.Self(cmd.Context(), "run-backup", "--backup", args[0])
			if err != nil {
				return err
			}
			run.Stdout, run.Stderr = sys.Stdout, sys.Stderr
			err = run.Run()
			if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() > 0 {
				return exit.Silent(ended.ExitCode())
			}
			return err
		},
	}
}
