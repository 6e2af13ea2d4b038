package accounts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/join"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/registry"
	"github.com/rclone-gateway/rclone-gateway/client/runner"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
)

// NewModule returns the command module.
func NewModule(sys *host.System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "module",
		Short: "Add, list and remove the modules of a Redis without NethServer 8",
		Long: `Add, list and remove modules, which are what is backed up. This is for a Redis of
one's own: NethServer 8 makes its modules itself.

` + registry.About,
		Example: `  gatewayctl module add --dir /srv/myapp1 --env-file myapp1.env myapp1
  gatewayctl module list
  gatewayctl module passwd --env-file myapp1.env myapp1
  gatewayctl module join --dir /srv/myapp5 myapp5.host
  gatewayctl module remove myapp1`,
		Annotations: registry.ExitStatus(),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newModuleAdd(sys), newModuleList(sys), newModuleRemove(sys), newModulePasswd(sys), join.NewCommand(sys))
	return cmd
}

// shownModule is a module in the output of module list.
type shownModule struct {
	ID          string   `json:"id"`
	Type        string   `json:"type"`
	UUID        string   `json:"uuid"`
	Node        string   `json:"node"`
	Schedules   []string `json:"schedules"`
	RestoreFrom string   `json:"restore_from"`
	HasUser     bool     `json:"has_user"`
	// Elsewhere is true for a module on another host; CodeUntil is set while a pairing code
	// for that host is unused and valid.
	Elsewhere bool       `json:"elsewhere"`
	CodeUntil *time.Time `json:"code_until,omitempty"`
}

func newModuleList(sys *host.System) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list [flags]",
		Aliases: []string{"ls"},
		Short:   "List the modules, and the schedules that back them up",
		Long:    `List the modules, and the schedules that back them up. No secret is shown.`,
		Example: `  gatewayctl module list
  gatewayctl module list --json | jq -r '.[] | .type + "/" + .uuid'`,
		Annotations: registry.ExitStatus(),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAccounts(cmd.Context(), sys, func(a *accounts) error { return a.runModuleList(cmd.Context(), asJSON) })
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *accounts) runModuleList(ctx context.Context, asJSON bool) error {
	modules, err := a.modules(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return a.Sys.PrintJSON(modules)
	}
	table := tabwriter.NewWriter(a.Sys.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tTYPE\tUUID\tNODE\tSCHEDULES\tHOST")
	for _, m := range modules {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", host.Printable(m.ID), host.Printable(cmp.Or(m.Type, "-")), host.Printable(cmp.Or(m.UUID, "-")),
			host.Printable(cmp.Or(m.Node, "-")), host.OrDash(m.Schedules), m.words())
		if !m.HasUser {
			a.Sys.Warnf("module %s has no Redis user, so it can do nothing: add it again", m.ID)
		}
	}
	return table.Flush()
}

// modules returns all modules, sorted by ID.
func (a *accounts) modules(ctx context.Context) ([]shownModule, error) {
	list, err := a.Users(ctx)
	if err != nil {
		return nil, err
	}
	pipe := a.Redis.Pipeline()
	elsewhere := pipe.SMembers(ctx, catalog.ModulesElsewhere)
	uuids, placed, grants := pipe.HGetAll(ctx, catalog.ModuleUUID), pipe.HGetAll(ctx, catalog.ModuleNode), pipe.HGetAll(ctx, catalog.RestoreUUID)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, a.Failed("read the modules", err)
	}
	schedules, err := schedule.All(ctx, a.Redis)
	if err != nil {
		return nil, err
	}
	codes, err := a.pendingCodes(ctx)
	if err != nil {
		return nil, err
	}
	ids := list.Modules()
	for id := range uuids.Val() {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	modules := []shownModule{}
	for _, id := range slices.Compact(ids) {
		image, err := a.Redis.HGet(ctx, catalog.ModuleEnvironmentKey(id), catalog.FieldImageURL).Result()
		if host.IgnoreNil(err) != nil {
			return nil, a.Failed("read module "+id, err)
		}
		app, _ := host.AppOfImage(image)
		m := shownModule{
			ID: id, Type: app, UUID: uuids.Val()[id], Node: placed.Val()[id], Schedules: []string{},
			RestoreFrom: grants.Val()[uuids.Val()[id]], HasUser: list.Has(account.ModuleUser(id)),
			Elsewhere: slices.Contains(elsewhere.Val(), id),
		}
		for _, c := range codes[id] {
			m.CodeUntil = &c.until
		}
		for _, s := range schedules {
			if slices.Contains(s.Modules, id) {
				m.Schedules = append(m.Schedules, s.ID)
			}
		}
		modules = append(modules, m)
	}
	return modules, nil
}

func newModuleRemove(sys *host.System) *cobra.Command {
	return &cobra.Command{
		Use:     "remove ID",
		Aliases: []string{"rm"},
		Short:   "Remove a module's user and keys; its backups stay where they are",
		Long: `Remove a module: its Redis user, all keys below module/ID/, its right to restore,
and its place in the schedules. The gateway no longer accepts it. Its backups stay
where they are; a new module reads them with --restore-from UUID.`,
		Example:           `  gatewayctl module remove myapp1`,
		Annotations:       registry.ExitStatus(),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: names.Complete(sys, names.ModuleEntries, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withModule(cmd.Context(), sys, args[0], func(a *accounts, id string) error { return a.runModuleRemove(cmd.Context(), id) })
		},
	}
}

func (a *accounts) runModuleRemove(ctx context.Context, id string) error {
	user := account.ModuleUser(id)
	list, err := a.OwnUsers(ctx)
	if err != nil {
		return err
	}
	listing, err := a.schedulesThatList(ctx, id)
	if err != nil {
		return err
	}
	if err := a.deleteModule(ctx, id, list.Has(user), listing); err != nil {
		return err
	}
	if err := a.Announce(ctx); err != nil {
		return err
	}
	if err := a.dropCodes(ctx, id); err != nil {
		return err
	}
	keys, err := a.Scan(ctx, user+"/*")
	if err == nil && len(keys) > 0 {
		err = a.Failed("remove the keys of module "+id, a.Redis.Del(ctx, keys...).Err())
	}
	return errors.Join(err, runner.DirOf(a.Sys.Env).Remove(id))
}

// deleteModule deletes the user of a module and what the cluster knows about the module, and
// takes it out of the schedules that list it, in one transaction.
func (a *accounts) deleteModule(ctx context.Context, id string, hasUser bool, listing []string) error {
	user := account.ModuleUser(id)
	watched := []string{catalog.ModuleUUID}
	for _, s := range listing {
		watched = append(watched, catalog.BackupKey(s))
	}
	return a.Change(ctx, "remove module "+id, func(tx *redis.Tx) (func(redis.Pipeliner), error) {
		uuid, err := tx.HGet(ctx, catalog.ModuleUUID, id).Result()
		if host.IgnoreNil(err) != nil {
			return nil, err
		}
		if !account.ValidModuleID(id) || uuid == "" && !hasUser {
			return nil, notThere(user)
		}
		left := map[string]string{}
		for _, s := range listing {
			if left[s], err = schedule.Leave(ctx, tx, s, id); err != nil {
				return nil, err
			}
		}
		return func(p redis.Pipeliner) {
			// Delete the user before its keys, so that nothing can write new ones.
			p.Do(ctx, "ACL", "DELUSER", user)
			p.HDel(ctx, catalog.ModuleUUID, id)
			p.HDel(ctx, catalog.ModuleNode, id)
			p.HDel(ctx, catalog.RestoreUUID, uuid)
			p.SRem(ctx, catalog.ModulesElsewhere, id)
			for _, s := range listing {
				p.HSet(ctx, catalog.BackupKey(s), "instances", left[s])
				schedule.Publish(ctx, p, s)
			}
		}, nil
	}, watched...)
}

// withModule calls do with the ID of the module that a word names. It also accepts a module
// of which only the Redis user is left.
func withModule(ctx context.Context, sys *host.System, word string, do func(a *accounts, id string) error) error {
	return withAccounts(ctx, sys, func(a *accounts) error {
		list, err := a.OwnUsers(ctx)
		if err != nil {
			return err
		}
		if list.Has(account.ModuleUser(word)) {
			return do(a, word)
		}
		m, err := names.ModuleNamed(ctx, a.Redis, word)
		if err != nil {
			return err
		}
		return do(a, m.ID)
	})
}

func newModulePasswd(sys *host.System) *cobra.Command {
	var output rotation
	cmd := &cobra.Command{
		Use:   "passwd [flags] ID",
		Short: "Give a module a new password, and print it, once",
		Long: `Give a module a new password, and print it, once. The old one is no longer accepted
from that moment, by the gateway as soon as it has read the users again, which it
does at once; connections to Redis that used it are ended. An --env-file that is
there keeps its other lines; one that is lost is written again, except where the
module's files are.

Where several places hold the password, change it in two steps: with --keep-old both
are valid, until --drop-old leaves only the one that the --env-file holds.`,
		Example: `  gatewayctl module passwd --env-file myapp1.env myapp1
  gatewayctl module passwd --keep-old --env-file myapp1.env myapp1
  gatewayctl module passwd --drop-old --env-file myapp1.env myapp1
  gatewayctl module passwd --password-file new.txt myapp1`,
		Annotations:       registry.ExitStatus(),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: names.Complete(sys, names.ModuleEntries, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withModule(cmd.Context(), sys, args[0], func(a *accounts, id string) error {
				return a.rotate(cmd.Context(), &output, account.ModuleUser(id), func(password string) ([]envfile.Variable, error) {
					return a.knownModuleVariables(cmd.Context(), id, password)
				})
			})
		},
	}
	output.register(cmd.Flags())
	return cmd
}
