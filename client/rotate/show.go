package rotate

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/ownpassword"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// showOptions are the flags of show.
type showOptions struct{ module, destination string }

func newShow(sys *host.System) *cobra.Command {
	var o showOptions
	cmd := &cobra.Command{
		Use:   "show [flags]",
		Short: "Print the password that repositories open with, to keep it elsewhere",
		Long: `Print the password that repositories open with, to keep it elsewhere, or to read them with
restic alone: that of a module, or that of a destination, with which the repositories of
modules open that have none of their own, as on NethServer 8. For a module that was removed
give its UUID. It needs an administrator's login to Redis.`,
		Example: `  gatewayctl repository password show --module MODULE
  gatewayctl repository password show --destination DESTINATION`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Full, exit.Forbidden, exit.Redis, exit.NotFound, exit.Signal),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.destination == "" && o.module == "" {
				return exit.Failf(exit.Usage, "which password? Say --module ID or --destination NAME")
			}
			return o.run(cmd.Context(), sys)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.module, "module", "", "`ID` or UUID of the module")
	flags.StringVar(&o.destination, "destination", "", "`name` or ID of the destination")
	names.CompleteFlag(cmd, "module", names.Complete(sys, names.ModuleEntries, names.AnyNumber))
	names.CompleteFlag(cmd, "destination", names.Complete(sys, names.DestinationEntries, names.AnyNumber))
	return cmd
}

func (o *showOptions) run(ctx context.Context, sys *host.System) error {
	rdb, err := sys.Administrator(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	password, err := o.find(ctx, sys, rdb)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(sys.Stdout, password)
	return err
}

func (o *showOptions) find(ctx context.Context, sys *host.System, rdb *redis.Client) (string, error) {
	if o.module != "" {
		_, uuid, err := moduleNamed(ctx, rdb, o.module)
		if err != nil {
			return "", err
		}
		own, err := ownpassword.Of(ctx, rdb, uuid)
		if err != nil || own != "" {
			return own, err
		}
		if o.destination == "" {
			return "", exit.Failf(exit.NotFound, "module %s has no repository password of its own: its repositories have that of each destination; say which, with --destination", o.module)
		}
		sys.Notef("module %s has no repository password of its own: this is that of the destination", o.module)
	}
	id, err := names.DestinationNamed(ctx, rdb, o.destination)
	if err != nil {
		return "", err
	}
	shared, err := rdb.HGet(ctx, catalog.ResticPassword, id).Result()
	if host.IgnoreNil(err) != nil {
		return "", host.AdministrationError(sys.Env, rdb, "read the password of destination "+id, err)
	}
	if shared == "" {
		return "", exit.Failf(exit.NotFound, "destination %s has no password", id)
	}
	return shared, nil
}
