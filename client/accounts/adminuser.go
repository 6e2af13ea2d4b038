package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/registry"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// NewAdmin returns the command admin, for the people who may see the status pages.
func NewAdmin(sys *host.System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "admin",
		Short: "Add, list and remove those who may log in to the page",
		Long: `Add, list and remove administrators, who may log in to the page of the gateway at
/-/status and ask its API. Each is a Redis user admin/NAME without any right in Redis,
who reaches no repository. This is for a Redis of one's own.

` + registry.About,
		Example: `  gatewayctl admin add anna
  gatewayctl admin list
  gatewayctl admin remove anna`,
		Annotations: registry.ExitStatus(),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAdminAdd(sys), newAdminList(sys), newAdminPasswd(sys), newAdminRemove(sys))
	return cmd
}

// adminPassword holds the options for where an administrator's password comes from and how
// it is printed.
type adminPassword struct {
	file   string
	asJSON bool
}

func (o *adminPassword) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.file, "password-file", "", "`FILE` with the password, - for stdin (default: it is generated)")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print JSON")
}

// choose returns the password from the file, or generates one.
func (o *adminPassword) choose(ctx context.Context, sys *host.System) (string, error) {
	if o.file == "" {
		return host.NewPassword(), nil
	}
	password, err := sys.SecretFrom(ctx, o.file, "password")
	if err != nil {
		return "", err
	}
	return password, checkPassword(password, "--password-file")
}

// tell prints the name, and the password if it was generated.
func (o *adminPassword) tell(sys *host.System, user, password string) error {
	if o.file != "" {
		password = ""
	}
	if o.asJSON {
		return json.NewEncoder(sys.Stdout).Encode(struct {
			User     string `json:"user"`
			Password string `json:"password,omitempty"`
		}{user, password})
	}
	sys.Notef("log in as %s", user)
	if password == "" {
		return nil
	}
	sys.Notef("with this password, which is shown this once:")
	_, err := fmt.Fprintln(sys.Stdout, password)
	return err
}

func newAdminAdd(sys *host.System) *cobra.Command {
	var o adminPassword
	cmd := &cobra.Command{
		Use:   "add [flags] NAME",
		Short: "Make an administrator, and print the password, once",
		Long: `Make the Redis user admin/NAME, who may log in to the page, and print the password,
once. Redis keeps passwords in a form that is safe for long random ones alone: have it
generated.

The same once more, with the same --password-file, changes nothing, and brings back what
Redis has lost.`,
		Example: `  gatewayctl admin add anna
  gatewayctl admin add --password-file bob.txt bob`,
		Annotations: registry.ExitStatus(),
		Args:        cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !account.ValidAdmin(args[0]) {
				return exit.Failf(exit.Usage, "%q is no name of an administrator: it has lower-case letters, digits, and . _ - within, such as anna", host.Printable(args[0]))
			}
			return withAccounts(cmd.Context(), sys, func(a *accounts) error { return a.runAdminAdd(cmd.Context(), args[0], o) })
		},
	}
	o.register(cmd)
	return cmd
}

func (a *accounts) runAdminAdd(ctx context.Context, name string, o adminPassword) error {
	user := account.AdminUser(name)
	password, err := o.choose(ctx, a.Sys)
	if err != nil {
		return err
	}
	if _, err := a.OwnUsers(ctx); err != nil {
		return err
	}
	err = a.Change(ctx, "add administrator "+name, func(tx *redis.Tx) (func(redis.Pipeliner), error) {
		list, err := tx.ACLList(ctx).Result()
		if err != nil {
			return nil, err
		}
		if users := account.List(list); users.Has(user) && !users.Accepts(user, password) {
			return nil, existsWithOther(user)
		}
		return func(p redis.Pipeliner) {
			registry.SetUser(ctx, p, user, append(account.AdminRules(a.Version), account.SetPassword(password)...)...)
		}, nil
	}, catalog.ACLs)
	if err != nil {
		return err
	}
	if err := a.Announce(ctx); err != nil {
		return err
	}
	return o.tell(a.Sys, user, password)
}

func newAdminList(sys *host.System) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list [flags]",
		Aliases: []string{"ls"},
		Short:   "List the administrators",
		Example: `  gatewayctl admin list
  gatewayctl admin list --json | jq -r '.[].name'`,
		Annotations: registry.ExitStatus(),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAccounts(cmd.Context(), sys, func(a *accounts) error { return a.runAdminList(cmd.Context(), asJSON) })
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *accounts) runAdminList(ctx context.Context, asJSON bool) error {
	list, err := a.Users(ctx)
	if err != nil {
		return err
	}
	type admin struct {
		Name string `json:"name"`
		User string `json:"user"`
	}
	admins := []admin{}
	for _, name := range slices.Sorted(slices.Values(list.Admins())) {
		admins = append(admins, admin{name, account.AdminUser(name)})
	}
	if asJSON {
		return a.Sys.PrintJSON(admins)
	}
	for _, one := range admins {
		if _, err := fmt.Fprintln(a.Sys.Stdout, one.Name); err != nil {
			return err
		}
	}
	return nil
}

func newAdminPasswd(sys *host.System) *cobra.Command {
	var o adminPassword
	cmd := &cobra.Command{
		Use:   "passwd [flags] NAME",
		Short: "Give an administrator a new password, and print it, once",
		Long: `Give an administrator a new password, and print it, once. The old one is no longer
accepted from that moment, and sessions that began with it end.`,
		Example:     `  gatewayctl admin passwd anna`,
		Annotations: registry.ExitStatus(),
		Args:        cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAccounts(cmd.Context(), sys, func(a *accounts) error {
				password, err := o.choose(cmd.Context(), sys)
				if err != nil {
					return err
				}
				user := account.AdminUser(args[0])
				if err := a.setPassword(cmd.Context(), user, password); err != nil {
					return err
				}
				return o.tell(sys, user, password)
			})
		},
	}
	o.register(cmd)
	return cmd
}

func newAdminRemove(sys *host.System) *cobra.Command {
	return &cobra.Command{
		Use:         "remove NAME",
		Aliases:     []string{"rm"},
		Short:       "Remove an administrator, whose sessions end",
		Example:     `  gatewayctl admin remove anna`,
		Annotations: registry.ExitStatus(),
		Args:        cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAccounts(cmd.Context(), sys, func(a *accounts) error { return a.runAdminRemove(cmd.Context(), args[0]) })
		},
	}
}

func (a *accounts) runAdminRemove(ctx context.Context, name string) error {
	user := account.AdminUser(name)
	list, err := a.OwnUsers(ctx)
	if err != nil {
		return err
	}
	if !list.Has(user) {
		return notThere(user)
	}
	err = a.Change(ctx, "remove administrator "+name, func(*redis.Tx) (func(redis.Pipeliner), error) {
		return func(p redis.Pipeliner) { p.Do(ctx, "ACL", "DELUSER", user) }, nil
	}, catalog.ACLs)
	if err != nil {
		return err
	}
	return a.Announce(ctx)
}
