package trash

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/locate"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// RepositoryCommands returns the subcommands of repository for a repository's past.
func RepositoryCommands(sys *host.System) []*cobra.Command {
	return []*cobra.Command{newHistory(sys), newFreeze(sys), newThaw(sys), newRollback(sys), newHeal(sys)}
}

// which holds the flags that select a repository.
type which struct{ destination, repository string }

func (w *which) register(sys *host.System, cmd *cobra.Command) *pflag.FlagSet {
	flags := cmd.Flags()
	flags.StringVar(&w.destination, "destination", "", "`name` or ID of the destination")
	flags.StringVar(&w.repository, "repository", "", "the repository, `APP/UUID`")
	completeDestination(sys, cmd)
	return flags
}

// request returns the repository's name for the gateway.
func (w *which) request(ctx context.Context, sys *host.System) (adminapi.RepositoryRequest, error) {
	req := adminapi.RepositoryRequest{Repository: w.repository}
	if w.destination == "" {
		return req, exit.Failf(exit.Usage, "--destination is missing")
	}
	if strings.Count(w.repository, "/") != 1 {
		return req, exit.Failf(exit.Usage, "--repository %q: give APP/UUID", w.repository)
	}
	var err error
	req.Destination, err = destinationID(ctx, sys, w.destination)
	return req, err
}

// resticOn returns a restic invocation for a repository, as the node and with the password
// in Redis.
func resticOn(ctx context.Context, sys *host.System, req adminapi.RepositoryRequest) (restic.Invocation, error) {
	rdb, err := sys.Redis(ctx, host.LocalAgent)
	if err != nil {
		return restic.Invocation{}, err
	}
	defer func() { _ = rdb.Close() }()
	app, uuid, _ := strings.Cut(req.Repository, "/")
	repository, err := run.OpenRepository(ctx, sys, rdb, req.Destination, app, uuid)
	if err != nil {
		return restic.Invocation{}, err
	}
	command, err := locate.Invocation(ctx, sys)
	command.Repository = repository
	return command, err
}
