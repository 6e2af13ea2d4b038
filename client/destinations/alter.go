package destinations

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/ns8action"
)

func newDestinationAlter(sys *host.System) *cobra.Command {
	var opts alterOptions
	cmd := &cobra.Command{
		Use:   "alter [flags] NAME",
		Short: "Change a destination: name, place, keys or limits",
		Long: `Change a destination: its name, its place, its keys or its limits. What no flag
gives stays as it is. The provider and the password of the repositories cannot
change. Where place or keys change, the destination is tested as it will be before
it is saved.

Limits hold at once, for backups under way too, in every gateway by itself.
Sizes have a unit: K, M, G, T and P are powers of 1024, KB to PB of 1000; speeds
may be in kbit, Mbit or Gbit, and are 4K at least. Beyond a quota no more data is
taken; to unlock, to forget and to prune is always possible. What a module may save
in an hour is limited even where nothing is set, far above what backups do; nodes
have no such limit.`,
		Example: `  gatewayctl destination alter --name "Old bucket" 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8
  gatewayctl destination alter --secret-file b2_account_key=new.txt 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8
  gatewayctl destination alter --limit-upload 50Mbit --module-quota 200G --quota-of mail1=1T 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8
  gatewayctl destination alter --limit-upload none 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8
  gatewayctl destination alter --action < request.json`,
		Annotations:       destinationStatus(),
		Args:              ns8action.Unless(&opts.action, oneID),
		ValidArgsFunction: names.Complete(sys, names.DestinationEntries, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDestinations(cmd.Context(), sys, func(d *destinations) error {
				if opts.action {
					return d.actAlter(cmd.Context())
				}
				return ns8action.ForPeople(d.runAlter(cmd.Context(), args[0], opts))
			})
		},
	}
	opts.destinationFlags.register(cmd.Flags())
	opts.limitFlags.register(cmd.Flags())
	ns8action.Flag(cmd, &opts.action, "alter-backup-repository")
	return cmd
}

type alterOptions struct {
	destinationFlags
	limitFlags

	action bool
}

func (d *destinations) actAlter(ctx context.Context) error {
	return ns8action.Act(d.sys, func(raw map[string]any) (any, error) {
		r, err := actionRequest(raw, "id", "provider")
		if err != nil {
			return nil, err
		}
		if err := r.takeBasePath(raw); err != nil {
			return nil, err
		}
		var problems []destination.Problem
		if r.limits, problems = requestedLimits(raw); len(problems) > 0 {
			return nil, ns8action.Malformed(problems)
		}
		return nil, d.alter(ctx, r)
	})
}

func (d *destinations) runAlter(ctx context.Context, word string, opts alterOptions) error {
	id, err := names.DestinationNamed(ctx, d.rdb, word)
	if err != nil {
		return err
	}
	rec, err := d.get(ctx, id)
	if err != nil {
		return err
	}
	p, _ := destination.ProviderOf(rec.provider)
	params, err := parametersOf(ctx, d.sys, &opts.destinationFlags, p)
	if err != nil {
		return err
	}
	r := newRequest(rec.provider, opts.name, opts.url, "", params)
	r.id, r.noTest = id, opts.noTest
	if r.limits, err = d.change(ctx, &opts.limitFlags); err != nil {
		return err
	}
	if opts.name == "" {
		r.name = nil
	}
	if r.name == nil && r.limits.empty() && r.keepsStorage() {
		return exit.Failf(exit.Usage, "nothing is to be changed: --help lists the flags")
	}
	return d.alter(ctx, r)
}
