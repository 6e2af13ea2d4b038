package points

import (
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// NewSnapshot returns the command for snapshots.
func NewSnapshot(sys *host.System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Find what can be restored: snapshots, their files, what changed between them",
		Long: `Find what can be restored: snapshots, their files, what changed between them.

A MODULE is a module's ID or UUID or the beginning of one, or APP/UUID, the path of a
repository whose module is no longer there. A snapshot is named by four or more digits
of its ID, or "latest". Root on a node acts with the node's credentials, a module with
its own, which open its own repositories only.

What was read once is kept: snapshots never change. It is below $CACHE_DIRECTORY,
$XDG_CACHE_HOME or ~/.cache, in gatewayctl, with the names of files in clear, for its
owner alone, and at most 512 MiB.`,
		Example: `  gatewayctl snapshot list myapp1
  gatewayctl snapshot ls myapp1 latest volumes/data
  gatewayctl snapshot find myapp1 '*.odt'`,
		Annotations: status(),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newList(sys), newShow(sys), newLs(sys), newFind(sys), newDiff(sys), newServe(sys))
	return cmd
}

// status returns the exit statuses of these commands.
func status() map[string]string {
	return exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Unreachable, exit.Forbidden, exit.Redis, exit.NotFound, exit.Password, exit.Signal)
}
