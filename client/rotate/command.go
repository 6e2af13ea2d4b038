package rotate

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// options are the command line.
type options struct {
	destination  string
	passwordFile string
	keepOld      bool
	wait         run.Waiting
}

// NewPassword returns the command repository password.
func NewPassword(sys *host.System) *cobra.Command {
	cmd := &cobra.Command{
		Use:         "password",
		Short:       "Give the repositories of a destination a new password",
		Example:     `  gatewayctl repository password rotate --destination DESTINATION`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRotate(sys))
	return cmd
}

func newRotate(sys *host.System) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "rotate [flags] --destination NAME",
		Short: "Change the password that the repositories of a destination open with",
		Long: `Change the password that the repositories of a destination open with, where somebody
may know it who should not. The data is not encrypted again: whoever had the old one may
have kept the master key. A key for the new password is added to each repository, and
tried; then Redis gets the new password, and the old keys are removed. Until then both
open the repositories, so that what runs meanwhile goes on.

Whatever interrupts it, run it again: it continues. --keep-old ends it before the old keys
are removed, which the next run does. Without --password-file a password is made up; like
the old one it is in Redis, where NethServer 8 has it, and nowhere else: export the
destination again if you keep its password elsewhere. A removed key stays in the trash
until that expires, or "trash empty --kind keys" purges it.

Each repository is worked on under its lease, or where none can be had under restic's lock.
It needs an administrator's login to Redis and a node's to the gateway. A repository that
does not open with the old password is named and stays as it is.`,
		Example: `  gatewayctl repository password rotate --destination DESTINATION
  gatewayctl repository password rotate --destination DESTINATION --keep-old`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Unreachable, exit.Forbidden, exit.Redis, exit.NotFound, exit.Locked, exit.Password, exit.Conflict, exit.Signal),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.destination == "" {
				return exit.Failf(exit.Usage, "--destination is missing")
			}
			return o.run(cmd.Context(), sys)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.destination, "destination", "", "`name` or ID of the destination")
	flags.StringVar(&o.passwordFile, "password-file", "", "take the new password from `FILE`, or from stdin for -")
	flags.BoolVar(&o.keepOld, "keep-old", false, "leave the old password valid until the next run")
	o.wait.AddFlag(flags)
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
	rdb, err := sys.Administrator(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	id, err := names.DestinationNamed(ctx, rdb, o.destination)
	if err != nil {
		return err
	}
	r := &rotation{sys: sys, wait: &o.wait, store: store{sys.Env, rdb, id}}
	err = r.run(ctx, chosen, o.keepOld)
	if err != nil && r.begun && !errors.Is(err, errRefused) {
		sys.Notef("both passwords are kept: run it again to go on")
	}
	return err
}

// chosen is the password that somebody wants, "" where one is to be made up.
func (o *options) chosen(ctx context.Context, sys *host.System) (string, error) {
	if o.passwordFile == "" {
		return "", nil
	}
	password, err := sys.SecretFrom(ctx, o.passwordFile, "new password of the repositories")
	if err != nil {
		return "", err
	}
	if password == "" || strings.ContainsAny(password, "\r\n\x00") {
		return "", exit.Failf(exit.Usage, "--password-file: there is no password in it, or it has more than one line")
	}
	return password, nil
}
