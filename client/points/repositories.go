package points

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/inventory"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// NewRepositoryList returns the command repository list.
func NewRepositoryList(sys *host.System) *cobra.Command {
	var only string
	var asJSON bool
	var wait run.Waiting
	cmd := &cobra.Command{
		Use:     "list [flags]",
		Aliases: []string{"ls"},
		Short:   "List the repositories on the destinations, and what else lies there",
		Long: `List the repositories on the destinations, with the number of their snapshots and the
time at which the last one was received. It asks the gateway alone: no repository is
opened, and no password of one is needed.

A repository is an orphan where no module that is installed has its UUID. What is
neither a repository nor a file of NethServer 8's is named as foreign: it was put there
by something else, or is left of an init that was interrupted.

--json prints what NethServer 8's action read-backup-repositories prints, with the fields
snapshots and last_snapshot besides; what is foreign goes to stderr. A module sees its
own repositories.`,
		Example: `  gatewayctl repository list
  gatewayctl repository list --destination DESTINATION --json | jq -r '.[] | select(.installed_instance == "") | .path'`,
		Annotations: status(),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runRepositoryList(cmd.Context(), sys, &wait, only, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&only, "destination", "", "only the destination with this `NAME` or ID")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	wait.AddFlag(flags)
	names.CompleteFlag(cmd, "destination", names.Complete(sys, names.DestinationEntries, names.AnyNumber))
	return cmd
}

func runRepositoryList(ctx context.Context, sys *host.System, wait *run.Waiting, only string, asJSON bool) error {
	rdb, err := wait.Redis(ctx, sys)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	all, err := surveyAll(ctx, sys, rdb, only)
	if err != nil {
		return err
	}
	cluster, err := readCluster(ctx, rdb)
	if err != nil {
		return err
	}
	if asJSON {
		err = printRepositoriesJSON(sys, all, cluster)
	} else {
		err = printRepositories(sys, all, cluster)
	}
	for _, d := range all {
		if d.err != nil {
			sys.Warnf("destination %s: %v", host.Printable(d.label()), d.err)
		}
	}
	return errors.Join(err, failedDestinations(all))
}

// failedDestinations returns the error for unreadable destinations, which were reported.
func failedDestinations(all []*surveyed) error {
	var failed []string
	code := exit.Failed
	for _, d := range all {
		if coded, ok := errors.AsType[*exit.Error](d.err); ok {
			code = coded.Code
		}
		if d.err != nil {
			failed = append(failed, host.Printable(d.label()))
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return exit.Failf(code, "the list is incomplete: %d of %d destinations could not be read: %s", len(failed), len(all), strings.Join(failed, ", "))
}

// surveyed is a destination and its content.
type surveyed struct {
	id, name, provider, url string
	holding                 inventory.Holding
	err                     error
}

// label returns the destination's name for people.
func (d *surveyed) label() string {
	if d.name != "" {
		return d.name
	}
	return d.id
}

// questionsAtOnce bounds concurrent requests to the gateway.
const questionsAtOnce = 16

// surveyAll surveys one destination, or all of them concurrently. A destination that fails
// has an error of its own.
func surveyAll(ctx context.Context, sys *host.System, rdb *redis.Client, only string) ([]*surveyed, error) {
	all, err := destinations(ctx, rdb, only)
	if err != nil {
		return nil, err
	}
	gateway, err := inventory.NewGateway(sys.Env)
	if err != nil {
		return nil, err
	}
	look, err := surveyor(sys, gateway)
	if err != nil {
		return nil, err
	}
	var group sync.WaitGroup
	for _, d := range all {
		group.Go(func() {
			if d.holding, d.err = look(ctx, d.id); errors.Is(d.err, fs.ErrNotExist) {
				d.err = exit.Failf(exit.NotFound, "the gateway does not serve it")
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return all, nil
}

// surveyor surveys a destination: a node sees all of it, a module its own repositories.
func surveyor(sys *host.System, gateway inventory.Gateway) (func(context.Context, string) (inventory.Holding, error), error) {
	login, err := sys.Env.Credentials()
	if err != nil {
		return nil, err
	}
	atOnce := inventory.NewLimit(questionsAtOnce)
	if !strings.HasPrefix(login.User, "module/") {
		return func(ctx context.Context, destination string) (inventory.Holding, error) {
			return gateway.Survey(ctx, destination, atOnce)
		}, nil
	}
	m, err := sys.Env.Module()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, destination string) (h inventory.Holding, err error) {
		own, err := gateway.Look(ctx, destination, m.App, m.UUID)
		if errors.Is(err, fs.ErrNotExist) {
			return h, nil
		}
		if err == nil {
			h.Repositories = []inventory.Repository{own}
		}
		return h, err
	}, nil
}

// destinations returns all destinations, or the selected one, ordered by name.
func destinations(ctx context.Context, rdb *redis.Client, only string) ([]*surveyed, error) {
	var ids []string
	if only != "" {
		id, err := names.DestinationNamed(ctx, rdb, only)
		if err != nil {
			return nil, err
		}
		ids = []string{id}
	} else {
		var err error
		if ids, err = host.KeysBelow(ctx, rdb, catalog.DestinationKey("")); err != nil {
			return nil, err
		}
	}
	all := make([]*surveyed, 0, len(ids))
	for _, id := range ids {
		f, err := rdb.HGetAll(ctx, catalog.DestinationKey(id)).Result()
		if err != nil {
			return nil, host.ReadError(catalog.DestinationKey(id), err)
		}
		all = append(all, &surveyed{id: id, name: f[catalog.FieldName], provider: f[catalog.FieldProvider], url: f[catalog.FieldURL]})
	}
	slices.SortFunc(all, func(a, b *surveyed) int { return strings.Compare(a.name+"\x00"+a.id, b.name+"\x00"+b.id) })
	return all, nil
}

// cluster holds what is needed to tell whose a repository is.
type cluster struct {
	uuid    string
	modules map[string]string // module ID by UUID
	labels  map[string]string // module label by ID
}

func readCluster(ctx context.Context, rdb *redis.Client) (cluster, error) {
	c := cluster{modules: map[string]string{}, labels: map[string]string{}}
	uuid, err := rdb.Get(ctx, catalog.ClusterUUID).Result()
	if host.IgnoreNil(err) != nil {
		return c, host.ReadError(catalog.ClusterUUID, err)
	}
	c.uuid = uuid
	uuids, err := rdb.HGetAll(ctx, catalog.ModuleUUID).Result()
	if err != nil {
		return c, host.ReadError(catalog.ModuleUUID, err)
	}
	labels := map[string]*redis.StringCmd{}
	_, err = rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for id, uuid := range uuids {
			c.modules[uuid] = id
			labels[id] = p.Get(ctx, catalog.ModuleUINameKey(id))
		}
		return nil
	})
	if host.IgnoreNil(err) != nil {
		return c, host.ReadError(catalog.ModuleUINameKey("*"), err)
	}
	for id, label := range labels {
		c.labels[id] = label.Val()
	}
	return c, nil
}

// notes returns remarks about a repository.
func (c cluster) notes(r inventory.Repository) string {
	var notes []string
	if c.modules[r.UUID] == "" {
		notes = append(notes, "orphan")
	}
	if m := r.Manifest; m != nil && m.ClusterUUID != "" && m.ClusterUUID != c.uuid {
		notes = append(notes, "of another cluster")
	}
	if len(r.Snapshots) == 0 {
		notes = append(notes, "empty")
	}
	return strings.Join(notes, ", ")
}
