package destinations

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/ns8action"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/rcloneconf"
)

func newDestinationRemove(sys *host.System) *cobra.Command {
	var force, action bool
	cmd := &cobra.Command{
		Use:     "remove [flags] NAME",
		Aliases: []string{"rm"},
		Short:   "Remove a destination from the cluster; its backups stay where they are",
		Long: `Remove a destination from the cluster. The backups stay on the storage, but to
read them needs its keys and the password of its repositories: export it first.

A destination that schedules use is not removed without --force, which removes
those schedules too, nor one that another destination depends on, such as one of type
crypt, which then no longer works; the action always removes it.`,
		Example: `  gatewayctl destination remove 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8
  gatewayctl destination remove --force 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8`,
		Annotations:       destinationStatus(),
		Args:              ns8action.Unless(&action, oneID),
		ValidArgsFunction: names.Complete(sys, names.DestinationEntries, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDestinations(cmd.Context(), sys, func(d *destinations) error {
				if action {
					return d.actRemove(cmd.Context())
				}
				id, err := names.DestinationNamed(cmd.Context(), d.rdb, args[0])
				if err != nil {
					return err
				}
				return ns8action.ForPeople(d.runRemove(cmd.Context(), id, force))
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "remove it with the schedules that use it")
	ns8action.Flag(cmd, &action, "remove-backup-repository")
	return cmd
}

func (d *destinations) actRemove(ctx context.Context) error {
	return ns8action.Act(d.sys, func(raw map[string]any) (any, error) {
		id, isText := raw["id"].(string)
		if !isText || id == "" {
			return nil, ns8action.Malformed([]destination.Problem{{Field: "id", Kind: destination.Required}})
		}
		return nil, d.runRemove(ctx, id, true)
	})
}

func (d *destinations) runRemove(ctx context.Context, id string, force bool) error {
	if _, err := d.get(ctx, id); err != nil {
		return err
	}
	used, err := d.schedules(ctx, id)
	if err != nil {
		return err
	}
	if !force {
		if err := d.refuseBelow(ctx, id); err != nil {
			return err
		}
	}
	if len(used) > 0 && !force {
		return exit.Failf(exit.Conflict, "destination %s is used by the schedules %s: --force removes them too", id, scheduleNames(used))
	}
	return d.remove(ctx, id, used)
}

// refuseBelow fails where the sections of other destinations name that one.
func (d *destinations) refuseBelow(ctx context.Context, id string) error {
	records, err := d.all(ctx)
	if err != nil {
		return err
	}
	var above []string
	for _, r := range records {
		if r.id != id && r.standsOn(id) {
			above = append(above, fmt.Sprintf("%s (%s)", host.Printable(r.name), r.id))
		}
	}
	if len(above) > 0 {
		return exit.Failf(exit.Conflict, "other destinations depend on %s: %s: --force removes it and breaks them", id, strings.Join(above, ", "))
	}
	return nil
}

// standsOn reports whether the section names that destination, as in remote = ID:path.
func (r record) standsOn(id string) bool {
	return slices.Contains(rcloneconf.Remotes(r.section()), id)
}
