package destinations

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// NewCommand returns the command for destinations.
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

// destinations is Redis as far as destinations go, with the gateway that tests them.
type destinations struct {
	sys *host.System
	rdb *redis.Client
}

// withDestinations runs do with a connection to the leader's Redis.
func withDestinations(ctx context.Context, sys *host.System, do func(*destinations) error) error {
	rdb, err := sys.Administrator(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	return do(&destinations{sys: sys, rdb: rdb})
}

// The exit statuses of NethServer 8's actions; each action has its own.
const (
	actionRefused    exit.Code = 2
	actionMismatch   exit.Code = 3 // alter-backup-repository
	actionNoAccess   exit.Code = 4 // alter-backup-repository
	actionPassphrase exit.Code = 3 // import-backup-destinations
)

// fault is why a destination was refused: one of NethServer 8's named errors, with
// the exit status of its action, and what people are told.
type fault struct {
	problems []destination.Problem
	value    any // of the field; never a secret
	action   exit.Code
	code     exit.Code
	reason   string
	told     string // to people, unless empty, in place of all that
}

func (f *fault) Error() string {
	text := destination.Problems(f.problems).Error()
	if f.reason != "" {
		text += ": " + f.reason
	}
	return text
}

// newFault is a fault of one field.
func newFault(field, kind string, value any, action, code exit.Code, format string, args ...any) *fault {
	return &fault{
		problems: []destination.Problem{{Field: field, Kind: kind}}, value: value, action: action, code: code,
		reason: fmt.Sprintf(format, args...), told: fmt.Sprintf(format, args...) + " [" + kind + "]",
	}
}

// malformedOf are the faults that the schema finds in what describes a destination
// of that provider.
func malformedOf(p destination.Provider, problems []destination.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &fault{problems: problems, action: exit.Invalid, code: exit.Invalid, told: p.Explain(problems)}
}

// malformed are the faults that the schema of an action finds.
func malformed(problems []destination.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &fault{problems: problems, action: exit.Invalid, code: exit.Invalid}
}

func notFound(id string) error {
	return newFault("id", "backup_repository_not_found", id, actionRefused, exit.NotFound, "there is no destination %s", id)
}
