package client

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

func newDestinationExport(sys *system) *cobra.Command {
	var withSecrets bool
	cmd := &cobra.Command{
		Use:   "export [flags] [ID...]",
		Short: "Write destinations for import",
		Long: `Write destinations, all or those named, with their limits, as JSON for "import".
Their keys and passwords are left out, and import refuses it then, unless
--with-secrets is given. That output opens all their backups: encrypt it on its
way, as with gpg. Import reads what gpg --symmetric wrote.`,
		Example: `  gatewayctl destination export
  gatewayctl destination export --with-secrets | gpg --symmetric --output destinations.gpg`,
		Annotations: destinationStatus(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDestinations(cmd.Context(), sys, func(d *destinations) error {
				return forPeople(d.runExport(cmd.Context(), args, withSecrets))
			})
		},
	}
	cmd.Flags().BoolVar(&withSecrets, "with-secrets", false, "write keys and passwords too")
	return cmd
}

func (d *destinations) runExport(ctx context.Context, ids []string, withSecrets bool) error {
	records, err := d.all(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !slices.ContainsFunc(records, func(r record) bool { return r.id == id }) {
			return notFound(id)
		}
	}
	cluster, err := d.rdb.Get(ctx, catalog.ClusterUUID).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return d.failed("read "+catalog.ClusterUUID, err)
	}
	a := archive{
		Version: json.Number(strconv.Itoa(archiveVersion)),
		Cluster: archiveCluster{UUID: cluster, Destinations: map[string]archivedDestination{}},
	}
	for _, r := range records {
		if len(ids) > 0 && !slices.Contains(ids, r.id) {
			continue
		}
		archived := archivedDestination{Name: r.name, Provider: r.provider, URL: r.url, BasePath: r.basePath, Limits: r.limits.Fields()}
		if withSecrets {
			archived.RcloneConf, archived.Password = r.conf, r.password
		}
		a.Cluster.Destinations[r.id] = archived
	}
	return d.sys.printJSON(a)
}
