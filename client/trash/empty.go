package trash

import (
	"cmp"
	"context"
	"net/http"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/gatewayadmin"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// defaultStateDir is the gateway's state directory in the packaged unit.
const defaultStateDir = "/var/lib/rclone-gateway"

func newEmpty(sys *host.System) *cobra.Command {
	var c choice
	var stateDir string
	var all bool
	cmd := &cobra.Command{
		Use:   "empty [flags] --destination NAME",
		Short: "Purge deleted objects before they expire, on the gateway's host alone",
		Long: `Purge deleted objects before they expire. They are gone for good then.

No password suffices: the gateway takes it from a process of its own user, or of root,
on its own host alone, by a unix socket in its state directory. Without a choice of
repository, kind, name or time, --all must say that all of it is meant.`,
		Example: `  gatewayctl trash empty --destination DESTINATION --before 48h
  gatewayctl trash empty --destination DESTINATION --all`,
		Annotations: status(),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !all && !c.chooses() {
				return exit.Failf(exit.Usage, "this would purge the whole trash of the destination: choose what, or give --all")
			}
			req, err := c.request(cmd.Context(), sys)
			if err != nil {
				return err
			}
			dir := cmp.Or(stateDir, sys.Env.Get("GATEWAY_STATE_DIR"), sys.Env.Get("STATE_DIRECTORY"), defaultStateDir)
			var done adminapi.TrashDone
			if err := askSocket(cmd.Context(), filepath.Join(dir, adminapi.SocketName), adminapi.TrashEmptyPath, req, &done); err != nil {
				return err
			}
			return c.report(sys, "purged", done)
		},
	}
	c.register(cmd.Flags())
	cmd.Flags().BoolVar(&all, "all", false, "purge all of it")
	cmd.Flags().StringVar(&stateDir, "state-dir", "", "the gateway's state `directory` (default $GATEWAY_STATE_DIR, $STATE_DIRECTORY or "+defaultStateDir+")")
	completeFlags(sys, cmd)
	return cmd
}

// chooses reports whether the flags select a part of the trash.
func (c *choice) chooses() bool {
	return c.repository != "" || c.name != "" || len(c.kinds) > 0 || c.since != "" || c.before != ""
}

// askSocket sends a request to the gateway's administrative socket.
func askSocket(ctx context.Context, socket, path string, in, out any) error {
	status, said, err := gatewayadmin.AskSocket(ctx, socket, path, in, out)
	switch {
	case err != nil:
		return err
	case status == http.StatusOK:
		return nil
	case status == http.StatusNotFound:
		return exit.Failf(exit.NotFound, "the gateway does not know the destination")
	}
	return exit.Failf(exit.Unreachable, "the gateway answered %d %s: %s", status, http.StatusText(status), said)
}
