package destinations

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/ns8action"
	"github.com/rclone-gateway/rclone-gateway/client/ownpassword"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

func newDestinationExport(sys *host.System) *cobra.Command {
	var withSecrets bool
	cmd := &cobra.Command{
		Use:   "export [flags] [NAME...]",
		Short: "Write destinations for import",
		Long: `Write destinations, all or those named, with their limits, as JSON for "import".
Their keys and passwords are left out, and import refuses it then, unless
--with-secrets is given. Then the repository passwords that modules have of their own
are written too, of all modules, also of those that were removed. That output opens
all their backups: encrypt it on its way, as with gpg. Import reads what gpg
--symmetric wrote. Export again after each new destination, module or password.`,
		Example: `  gatewayctl destination export
  gatewayctl destination export --with-secrets | gpg --symmetric --output destinations.gpg`,
		Annotations:       destinationStatus(),
		ValidArgsFunction: names.Complete(sys, names.DestinationEntries, names.AnyNumber),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDestinations(cmd.Context(), sys, func(d *destinations) error {
				return ns8action.ForPeople(d.runExport(cmd.Context(), args, withSecrets))
			})
		},
	}
	cmd.Flags().BoolVar(&withSecrets, "with-secrets", false, "write keys and passwords too")
	return cmd
}

func (d *destinations) runExport(ctx context.Context, words []string, withSecrets bool) error {
	records, err := d.all(ctx)
	if err != nil {
		return err
	}
	ids := make([]string, len(words))
	for i, word := range words {
		if ids[i], err = names.DestinationNamed(ctx, d.rdb, word); err != nil {
			return err
		}
	}
	cluster, err := d.rdb.Get(ctx, catalog.ClusterUUID).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return d.failed("read "+catalog.ClusterUUID, err)
	}
	a := destination.Archive{
		Version: json.Number(strconv.Itoa(destination.ArchiveVersion)),
		Cluster: destination.ArchiveCluster{UUID: cluster, Destinations: map[string]destination.Archived{}},
	}
	if withSecrets {
		if a.Cluster.ModulePasswords, err = ownpassword.All(ctx, d.rdb); err != nil {
			return err
		}
	}
	for _, r := range records {
		if len(ids) > 0 && !slices.Contains(ids, r.id) {
			continue
		}
		archived := destination.Archived{Name: r.name, Provider: r.provider, URL: r.url, BasePath: r.basePath, Limits: r.limits.Fields()}
		if withSecrets {
			archived.RcloneConf, archived.Password = r.conf, r.password
		}
		a.Cluster.Destinations[r.id] = archived
	}
	return d.sys.PrintJSON(a)
}
