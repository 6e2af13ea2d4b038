package rotate

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/ownpassword"
	"github.com/rclone-gateway/rclone-gateway/client/registry"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// options are the flags of rotate.
type options struct {
	destination  string
	module       string
	passwordFile string
	keepOld      bool
	wait         run.Waiting
}

// NewPassword returns the command repository password.
func NewPassword(sys *host.System) *cobra.Command {
	cmd := &cobra.Command{
		Use:         "password",
		Short:       "Show the passwords that repositories open with, or change them",
		Example:     `  gatewayctl repository password show --module MODULE`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRotate(sys), newShow(sys))
	return cmd
}

func newRotate(sys *host.System) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "rotate [flags] --destination NAME | --module ID",
		Short: "Change the password that the repositories of a destination or a module open with",
		Long: `Change the password that the repositories of a destination open with, or those of a module on
all destinations, where somebody may know it who should not. A module that shares that of
each destination gets one of its own, which no other module may read; on NethServer 8 none
does. The repositories of modules that have one of their own are left out with --destination,
and named. A module that was removed is named by its UUID. The data is not encrypted again: whoever had the old one may
have kept the master key. A key for the new password is added to each repository, and
tried; then Redis gets the new password, and the old keys are removed. Until then both
open the repositories, so that what runs meanwhile goes on.

Whatever interrupts it, run it again: it continues. --keep-old ends it before the old keys
are removed, which the next run does. Without --password-file a password is made up; like
the old one it is in Redis, where NethServer 8 has it, and nowhere else: export the
destinations again if you keep their passwords elsewhere. A removed key stays in the trash
until that expires, or "trash empty --kind keys" purges it.

Each repository is worked on under its lease, or where none can be had under restic's lock.
It needs an administrator's login to Redis and a node's to the gateway. A repository that
does not open with the old password is named and stays as it is.`,
		Example: `  gatewayctl repository password rotate --destination DESTINATION
  gatewayctl repository password rotate --destination DESTINATION --keep-old
  gatewayctl repository password rotate --module MODULE`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Unreachable, exit.Forbidden, exit.Redis, exit.NotFound, exit.Locked, exit.Password, exit.Conflict, exit.Signal),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (o.destination == "") == (o.module == "") {
				return exit.Failf(exit.Usage, "whose password? Say --destination NAME or --module ID")
			}
			return o.run(cmd.Context(), sys)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.destination, "destination", "", "`name` or ID of the destination")
	flags.StringVar(&o.module, "module", "", "`ID` or UUID of the module")
	flags.StringVar(&o.passwordFile, "password-file", "", "take the new password from `FILE`, or from stdin for -")
	flags.BoolVar(&o.keepOld, "keep-old", false, "leave the old password valid until the next run")
	o.wait.AddFlag(flags)
	names.CompleteFlag(cmd, "module", names.Complete(sys, names.ModuleEntries, names.AnyNumber))
	names.CompleteFlag(cmd, "destination", names.Complete(sys, names.DestinationEntries, names.AnyNumber))
	return cmd
}

func (o *options) run(ctx context.Context, sys *host.System) error {
	if err := o.wait.Check(); err != nil {
		return err
	}
	chosen, err := o.chosen(ctx, sys)
	if err != nil {
		return err
	}
	return registry.With(ctx, sys, func(admin *registry.Registry) error {
		s, err := o.subject(ctx, admin)
		if err != nil {
			return err
		}
		r := &rotation{sys: sys, wait: &o.wait, store: store{admin, s}}
		err = r.run(ctx, chosen, o.keepOld)
		if err != nil && r.begun && !errors.Is(err, errRefused) {
			sys.Notef("both passwords are kept: run it again to go on")
		}
		return err
	})
}

// chosen returns the password that was given, "" to generate one.
func (o *options) chosen(ctx context.Context, sys *host.System) (string, error) {
	if o.passwordFile == "" {
		return "", nil
	}
	return ownpassword.FromFile(ctx, sys, "--password-file", o.passwordFile, "new password of the repositories")
}
