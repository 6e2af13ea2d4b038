package client

import (
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/points"
	"github.com/rclone-gateway/rclone-gateway/client/rotate"
	"github.com/rclone-gateway/rclone-gateway/client/trash"
)

// newRepository returns the command repository. Its subcommands are in the packages of
// their subjects.
func newRepository(sys *host.System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "repository",
		Short: "List the repositories, tell their history, freeze one, make it what it was, or mend it",
		Example: `  gatewayctl repository list
  gatewayctl repository rollback --destination DESTINATION --repository dokuwiki/UUID --to 2h --dry-run`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(points.NewRepositoryList(sys), rotate.NewPassword(sys))
	cmd.AddCommand(trash.RepositoryCommands(sys)...)
	return cmd
}
