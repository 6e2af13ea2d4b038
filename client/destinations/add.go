package destinations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/naming"
	"github.com/rclone-gateway/rclone-gateway/client/ns8action"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

func newDestinationAdd(sys *host.System) *cobra.Command {
	var opts addOptions
	cmd := &cobra.Command{
		Use:   "add [flags]",
		Short: "Test a new destination and save it",
		Long: `Test a new destination and save it. On a terminal, what flags do not give is
asked for. The same storage with the same keys is the same destination, whose ID
follows from them.

The test lists the storage, writes a small file, reads it back and deletes it. Where
it finds repositories that are there already, the password must open them.

Without --password-file the password of the repositories is generated, and printed. The
repositories of modules open with it that have none of their own, which on NethServer 8 are
all: without it and the cluster no backup of theirs can be read.`,
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
				return ns8action.ForPeople(d.runAdd(cmd.Context(), opts))
			})
		},
	}
	cmd.Flags().StringVar(&opts.provider, "provider", "", "`PROVIDER`: backblaze, aws, generic-s3, azure, smb, cluster or rclone")
	names.CompleteFlag(cmd, "provider", names.OneOf(providerNames()...))
	opts.register(cmd.Flags())
	cmd.Flags().StringVar(&opts.passwordFile, "password-file", "", "`FILE` with the password of the repositories, - for stdin")
	cmd.Flags().BoolVar(&opts.asJSON, "json", false, "print ID and password as JSON")
	ns8action.Flag(cmd, &opts.action, "add-backup-repository")
	return cmd
}

func providerNames() []string {
	names := make([]string, len(destination.Providers))
	for i, p := range destination.Providers {
		names[i] = p.Name
	}
	return names
}

type addOptions struct {
	destinationFlags

	provider       string
	asJSON, action bool
}

func (d *destinations) actAdd(ctx context.Context) error {
	return ns8action.Act(d.sys, func(raw map[string]any) (any, error) {
		r, err := actionRequest(raw, "provider", "name", "url", "password", "parameters")
		if err != nil {
			return nil, err
		}
		return d.add(ctx, r)
	})
}

func (d *destinations) runAdd(ctx context.Context, opts addOptions) error {
	prompt := d.sys.Prompter()
	var err error
	if opts.provider == "" && prompt != nil {
		if opts.provider, err = askProvider(ctx, prompt); err != nil {
			return err
		}
	}
	p, ok := destination.ProviderOf(opts.provider)
	if !ok {
		return exit.Failf(exit.Usage, "--provider %q: give one of %s%s", opts.provider, strings.Join(providerNames(), ", "), naming.DidYouMean(opts.provider, providerNames()))
	}
	params, err := parametersOf(ctx, d.sys, &opts.destinationFlags, p)
	if err != nil {
		return err
	}
	if prompt != nil {
		if err := fillIn(ctx, prompt, &opts.destinationFlags, p, params); err != nil {
			return err
		}
	}
	password := ""
	if opts.passwordFile != "" {
		if password, err = d.sys.SecretFrom(ctx, opts.passwordFile, "password of the repositories"); err != nil {
			return err
		}
		if password == "" {
			return exit.Failf(exit.Usage, "--password-file: there is no password in it")
		}
	}
	r := newRequest(opts.provider, opts.name, opts.url, password, params)
	r.noTest = opts.noTest
	r.settle = func(found *adminapi.Repository) (string, error) {
		own, err := d.ownPasswordOf(ctx, found)
		if err != nil {
			return "", err
		}
		password, err = passwordFor(ctx, d.sys, password, own, found)
		return password, err
	}
	result, err := d.add(ctx, r)
	if err != nil {
		return err
	}
	return d.tellAdded(result, opts, password == "")
}

// tellAdded prints the ID, and the password if it was generated.
func (d *destinations) tellAdded(result added, opts addOptions, generated bool) error {
	if opts.asJSON {
		if !generated {
			result.Password = ""
		}
		return json.NewEncoder(d.sys.Stdout).Encode(result)
	}
	_, err := fmt.Fprintln(d.sys.Stdout, result.ID)
	if generated {
		d.sys.Notef("the password of its repositories, but for those of modules that have one of their own: keep it apart from the cluster")
		_, errPassword := fmt.Fprintln(d.sys.Stdout, result.Password)
		err = errors.Join(err, errPassword)
	}
	return err
}
