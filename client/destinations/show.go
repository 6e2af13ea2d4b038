package destinations

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/ns8action"
)

func newDestinationShow(sys *host.System) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show [flags] NAME",
		Short: "Show one destination, without its secrets",
		Example: `  gatewayctl destination show 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8
  gatewayctl destination show --json Bucket`,
		Annotations:       destinationStatus(),
		Args:              oneID,
		ValidArgsFunction: names.Complete(sys, names.DestinationEntries, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDestinations(cmd.Context(), sys, func(d *destinations) error {
				return ns8action.ForPeople(d.runShow(cmd.Context(), args[0], asJSON))
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (d *destinations) runShow(ctx context.Context, word string, asJSON bool) error {
	id, err := names.DestinationNamed(ctx, d.rdb, word)
	if err != nil {
		return err
	}
	r, err := d.get(ctx, id)
	if err != nil {
		return err
	}
	used, err := d.schedules(ctx, id)
	if err != nil {
		return err
	}
	s := r.shown(used)
	if asJSON {
		return d.sys.PrintJSON(s)
	}
	modules, err := d.moduleNames(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(d.sys.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"id", s.ID}, {"name", s.Name}, {"provider", s.Provider}, {"url", s.URL}, {"base path", s.BasePath},
	} {
		fmt.Fprintf(table, "%s\t%s\n", row[0], cmp.Or(host.Printable(row[1]), "-"))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Parameters)) {
		fmt.Fprintf(table, "%s\t%s\n", name, cmp.Or(host.Printable(s.Parameters[name]), "(not shown)"))
	}
	fmt.Fprintf(table, "schedules\t%s\n", cmp.Or(scheduleNames(s.Schedules), "-"))
	for _, row := range limitRows(&r.limits, modules) {
		fmt.Fprintf(table, "%s\t%s\n", row[0], row[1])
	}
	if r.badLimits != nil {
		d.sys.Warnf("limits without effect, because they cannot be read: %v", r.badLimits)
	}
	return table.Flush()
}
