package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
)

func newDestinationAdd(sys *system) *cobra.Command {
	var opts addOptions
	cmd := &cobra.Command{
		Use:   "add [flags]",
		Short: "Test a new destination and save it",
		Long: `Test a new destination and save it. On a terminal, what flags do not give is
asked for. The same storage with the same keys is the same destination, whose ID
follows from them.

The test lists the storage, writes a small file, reads it back and deletes it.

Without --password-file the password of the repositories is generated. It is
shown once: without it and the cluster no backup can be read.`,
		Example: `  gatewayctl destination add
  gatewayctl destination add --provider backblaze --url b2:bucket/folder \
      --set b2_account_id=ID --secret-file b2_account_key=key.txt
  gatewayctl destination add --provider rclone --conf ~/.config/rclone/rclone.conf --section nas --base-path backups
  rclone config show nas: | gatewayctl destination add --provider rclone --conf - --base-path backups
  gatewayctl destination add --action < request.json`,
		Annotations: destinationStatus(),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDestinations(cmd.Context(), sys, func(d *destinations) error {
				if opts.action {
					return d.actAdd(cmd.Context())
				}
				return forPeople(d.runAdd(cmd.Context(), opts))
			})
		},
	}
	cmd.Flags().StringVar(&opts.provider, "provider", "", "`PROVIDER`: backblaze, aws, generic-s3, azure, smb, cluster or rclone")
	opts.register(cmd.Flags())
	cmd.Flags().StringVar(&opts.passwordFile, "password-file", "", "`FILE` with the password of the repositories, - for stdin")
	cmd.Flags().BoolVar(&opts.asJSON, "json", false, "print ID and password as JSON")
	actionFlag(cmd, &opts.action, "add-backup-repository")
	return cmd
}

type addOptions struct {
	destinationFlags

	provider       string
	asJSON, action bool
}

func (d *destinations) actAdd(ctx context.Context) error {
	return d.sys.act(func(raw map[string]any) (any, error) {
		r, err := actionRequest(raw, "provider", "name", "url", "password", "parameters")
		if err != nil {
			return nil, err
		}
		return d.add(ctx, r)
	})
}

func (d *destinations) runAdd(ctx context.Context, opts addOptions) error {
	prompt := d.sys.prompter()
	var err error
	if opts.provider == "" && prompt != nil {
		if opts.provider, err = prompt.provider(ctx); err != nil {
			return err
		}
	}
	p, ok := destination.ProviderOf(opts.provider)
	if !ok {
		return failf(exitUsage, "--provider %q: give one of backblaze, aws, generic-s3, azure, smb, cluster, rclone", opts.provider)
	}
	params, err := d.sys.parameters(ctx, &opts.destinationFlags, p)
	if err != nil {
		return err
	}
	if prompt != nil {
		if err := prompt.fill(ctx, &opts.destinationFlags, p, params); err != nil {
			return err
		}
	}
	password := ""
	if opts.passwordFile != "" {
		if password, err = d.sys.secretFrom(ctx, opts.passwordFile, "password of the repositories"); err != nil {
			return err
		}
		if password == "" {
			return failf(exitUsage, "--password-file: there is no password in it")
		}
	}
	r := newRequest(opts.provider, opts.name, opts.url, password, params)
	r.noTest = opts.noTest
	result, err := d.add(ctx, r)
	if err != nil {
		return err
	}
	return d.tellAdded(result, opts, password == "")
}

// tellAdded prints the ID, and the password where it was generated just now.
func (d *destinations) tellAdded(result added, opts addOptions, generated bool) error {
	if opts.asJSON {
		if !generated {
			result.Password = ""
		}
		return json.NewEncoder(d.sys.stdout).Encode(result)
	}
	_, err := fmt.Fprintln(d.sys.stdout, result.ID)
	if generated {
		d.sys.notef("the password of its repositories, which is shown this once: keep it apart from the cluster")
		_, errPassword := fmt.Fprintln(d.sys.stdout, result.Password)
		err = errors.Join(err, errPassword)
	}
	return err
}

func newDestinationAlter(sys *system) *cobra.Command {
	var opts alterOptions
	cmd := &cobra.Command{
		Use:   "alter [flags] ID",
		Short: "Change a destination: name, place, keys or limits",
		Long: `Change a destination: its name, its place, its keys or its limits. What no flag
gives stays as it is. The provider and the password of the repositories cannot
change. Where place or keys change, the destination is tested as it will be before
it is saved.

Limits hold at once, for backups under way too, in every gateway by itself.
Sizes have a unit: K, M, G, T and P are powers of 1024, KB to PB of 1000; speeds
may be in kbit, Mbit or Gbit, and are 4K at least. Beyond a quota no more data is
taken; to unlock, to forget and to prune is always possible.`,
		Example: `  gatewayctl destination alter --name "Old bucket" 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8
  gatewayctl destination alter --secret-file b2_account_key=new.txt 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8
  gatewayctl destination alter --limit-upload 50Mbit --module-quota 200G --quota-of mail1=1T 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8
  gatewayctl destination alter --limit-upload none 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8
  gatewayctl destination alter --action < request.json`,
		Annotations: destinationStatus(),
		Args:        unlessAction(&opts.action, oneID),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDestinations(cmd.Context(), sys, func(d *destinations) error {
				if opts.action {
					return d.actAlter(cmd.Context())
				}
				return forPeople(d.runAlter(cmd.Context(), args[0], opts))
			})
		},
	}
	opts.destinationFlags.register(cmd.Flags())
	opts.limitFlags.register(cmd.Flags())
	actionFlag(cmd, &opts.action, "alter-backup-repository")
	return cmd
}

type alterOptions struct {
	destinationFlags
	limitFlags

	action bool
}

// unlessAction wants arguments, except from an action.
func unlessAction(action *bool, arguments cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if *action {
			return cobra.NoArgs(cmd, args)
		}
		return arguments(cmd, args)
	}
}

// oneID wants the ID of a destination.
func oneID(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.New("give the ID of one destination, as gatewayctl destination list shows it")
	}
	return nil
}

func (d *destinations) actAlter(ctx context.Context) error {
	return d.sys.act(func(raw map[string]any) (any, error) {
		r, err := actionRequest(raw, "id", "provider")
		if err != nil {
			return nil, err
		}
		if err := r.takeBasePath(raw); err != nil {
			return nil, err
		}
		var problems []destination.Problem
		if r.limits, problems = requestedLimits(raw); len(problems) > 0 {
			return nil, malformed(problems)
		}
		return nil, d.alter(ctx, r)
	})
}

func (d *destinations) runAlter(ctx context.Context, id string, opts alterOptions) error {
	rec, err := d.get(ctx, id)
	if err != nil {
		return err
	}
	p, _ := destination.ProviderOf(rec.provider)
	params, err := d.sys.parameters(ctx, &opts.destinationFlags, p)
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
		return failf(exitUsage, "nothing is to be changed: --help tells of the flags")
	}
	return d.alter(ctx, r)
}
