package destinations

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/ns8action"
)

// NewCommand returns the command destination.
func NewCommand(sys *host.System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "destination",
		Short: "Add, test, change and remove backup destinations",
		Long: `Add, test, change and remove backup destinations.

Destinations are written to the cluster's Redis: run this on the leader with the
credentials of the cluster's agent, as "runagent" sets them. The gateway of this
node tests a destination before it is saved.

With --action a command is one of NethServer 8's actions: it reads JSON from stdin,
and errors are the arrays and exit codes of that action.`,
		Example: `  gatewayctl destination add
  gatewayctl destination list
  gatewayctl destination check 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8`,
		Annotations: destinationStatus(),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newDestinationAdd(sys), newDestinationList(sys), newDestinationShow(sys), newDestinationAlter(sys),
		newDestinationRemove(sys), newDestinationCheck(sys), newDestinationImport(sys), newDestinationExport(sys),
	)
	return cmd
}

func destinationStatus() map[string]string {
	return exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Unreachable, exit.Full, exit.Forbidden, exit.Redis, exit.NotFound,
		exit.Invalid, exit.Password, exit.Conflict, exit.Signal)
}

// destinations is access to the destinations in Redis and to the gateway that tests them.
type destinations struct {
	sys *host.System
	rdb *redis.Client
}

// withDestinations calls do with a connection to the leader's Redis.
func withDestinations(ctx context.Context, sys *host.System, do func(*destinations) error) error {
	rdb, err := sys.Administrator(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	return do(&destinations{sys: sys, rdb: rdb})
}

// Exit statuses of NethServer 8's actions, which differ from action to action.
const (
	actionRefused    exit.Code = 2
	actionMismatch   exit.Code = 3 // alter-backup-repository
	actionNoAccess   exit.Code = 4 // alter-backup-repository
	actionPassphrase exit.Code = 3 // import-backup-destinations
)

// oneID requires one argument, which names a destination.
func oneID(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.New("give the name or the ID of one destination, as gatewayctl destination list shows it")
	}
	return nil
}

// malformedOf returns the errors that the action's schema finds in the description of a
// destination of that provider.
func malformedOf(p destination.Provider, problems []destination.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &ns8action.Fault{Problems: problems, Action: exit.Invalid, Code: exit.Invalid, Told: p.Explain(problems)}
}

func notFound(id string) error {
	return ns8action.NewFault("id", "backup_repository_not_found", id, actionRefused, exit.NotFound, "there is no destination %s", id)
}
