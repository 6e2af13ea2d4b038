package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/registry"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
)

// NewNode returns the command node.
func NewNode(sys *host.System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Add, list and remove the nodes of a Redis without NethServer 8",
		Long: `Add, list and remove nodes, which are what gateways run on. This is for a Redis
of one's own: NethServer 8 makes its nodes itself.

` + registry.About,
		Example: `  gatewayctl node add --env-file node.env
  gatewayctl node list
  gatewayctl node passwd --env-file node.env 1`,
		Annotations: registry.ExitStatus(),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newNodeAdd(sys), newNodeList(sys), newNodeRemove(sys), newNodePasswd(sys))
	return cmd
}

func newNodeAdd(sys *host.System) *cobra.Command {
	var output envOutput
	cmd := &cobra.Command{
		Use:   "add [flags] [ID]",
		Short: "Make the user of a node's gateway, and print what the gateway needs, once",
		Long: `Make the Redis user of node ID (1), and print what its gateway needs, once:
KEY=VALUE lines for its environment, the password among them.

The user reads what a gateway must know, hears its events, writes below node/ID/
alone, and administers nothing. User "default" is left as it is.

The same once more, with the same --password-file or --env-file, changes nothing,
and brings back what Redis has lost.

` + registry.About,
		Example: `  gatewayctl node add --env-file node.env
  gatewayctl node add --password-file password.txt --json 2
  set -a; . ./node.env; rclone-gateway serve`,
		Annotations: registry.ExitStatus(),
		Args:        cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := append(args, "1")[0]
			if !account.ValidNodeID(id) {
				return exit.Failf(exit.Usage, "%q is not the ID of a node: it is a number from 1 on", id)
			}
			return withAccounts(cmd.Context(), sys, func(a *accounts) error {
				return a.runNodeAdd(cmd.Context(), id, output)
			})
		},
	}
	output.register(cmd.Flags())
	return cmd
}

func (a *accounts) runNodeAdd(ctx context.Context, id string, output envOutput) error {
	user := account.NodeUser(id)
	earlier, err := output.earlier(user)
	if err != nil {
		return err
	}
	password, chosen, err := output.credential(a.Sys, earlier)
	if err != nil {
		return err
	}
	list, err := a.OwnUsers(ctx)
	if err != nil {
		return err
	}
	vars, err := a.nodeVariables(id, password)
	if err != nil {
		return err
	}
	told, err := output.prepare(earlier.renewed(vars))
	if err != nil {
		return err
	}
	defer told.drop()

	err = a.Change(ctx, "add node "+id, func(tx *redis.Tx) (func(redis.Pipeliner), error) {
		list, err := tx.ACLList(ctx).Result()
		if err != nil {
			return nil, err
		}
		if users := account.List(list); users.Has(user) && (!chosen || !users.Accepts(user, password)) {
			return nil, existsWithOther(user)
		}
		return func(p redis.Pipeliner) {
			p.SetNX(ctx, catalog.ClusterUUID, account.NewUUID(), 0)
			p.HSetNX(ctx, catalog.ClusterEnvironment, catalog.FieldNodeID, id)
			registry.SetUser(ctx, p, user, append(account.NodeRules(id, a.Version), account.AddPassword(password)...)...)
		}, nil
	}, catalog.ACLs)
	if err != nil {
		return err
	}
	if err := a.Announce(ctx); err != nil {
		return err
	}
	a.WarnOfOpenDefault(list)
	a.WarnOfMemory(ctx)
	return told.tell(a.Sys)
}

// nodeVariables returns the environment for a node's gateway and its commands. They run the
// restic in PATH: without core.env no image is known.
func (a *accounts) nodeVariables(id, password string) ([]envfile.Variable, error) {
	own := []envfile.Variable{{Name: "NODE_ID", Value: id}, {Name: "NS8_RESTIC_RUNTIME", Value: string(restic.Native)}}
	server, err := a.redisVariables(account.NodeUser(id), password)
	return slices.Concat(own, server, gatewayVariables(a.Sys)), err
}

// node is a node in the output of node list.
type node struct {
	ID     string `json:"id"`
	Leader bool   `json:"leader"`
	// Audit is the head of the node's audit log, to be archived elsewhere.
	Audit   *auditHead `json:"audit,omitempty"`
	Modules []string   `json:"modules"`
}

// auditHead is the last hash of an audit log, and its time.
type auditHead struct {
	Head string `json:"head"`
	Time string `json:"time"`
}

// nodes returns all nodes, sorted by ID.
func (a *accounts) nodes(ctx context.Context) ([]node, error) {
	list, err := a.Users(ctx)
	if err != nil {
		return nil, err
	}
	pipe := a.Redis.Pipeline()
	leader := pipe.HGet(ctx, catalog.ClusterEnvironment, catalog.FieldNodeID)
	placed := pipe.HGetAll(ctx, catalog.ModuleNode)
	_, _ = pipe.Exec(ctx) // each command has its error
	if err := errors.Join(host.IgnoreNil(leader.Err()), placed.Err()); err != nil {
		return nil, a.Failed("read the nodes", err)
	}
	nodes := []node{}
	for _, id := range list.Nodes() {
		n := node{ID: id, Leader: id == leader.Val(), Modules: []string{}}
		if n.Audit, err = a.auditHead(ctx, id); err != nil {
			return nil, err
		}
		for module, where := range placed.Val() {
			if where == id {
				n.Modules = append(n.Modules, module)
			}
		}
		slices.Sort(n.Modules)
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, func(a, b node) int { return names.CompareNumbers(a.ID, b.ID) })
	return nodes, nil
}

// auditHead returns the head that a node's gateway published last, nil if there is none.
func (a *accounts) auditHead(ctx context.Context, id string) (*auditHead, error) {
	fields, err := a.Redis.HGetAll(ctx, catalog.AuditHeadKey(id)).Result()
	if err != nil {
		return nil, a.Failed("read the head of a node's audit log", err)
	}
	if fields["head"] == "" {
		return nil, nil
	}
	return &auditHead{Head: fields["head"], Time: fields["time"]}, nil
}

func newNodeList(sys *host.System) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list [flags]",
		Aliases: []string{"ls"},
		Short:   "List the nodes, and the modules on them",
		Example: `  gatewayctl node list
  gatewayctl node list --json | jq -r '.[].id'`,
		Annotations: registry.ExitStatus(),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAccounts(cmd.Context(), sys, func(a *accounts) error {
				nodes, err := a.nodes(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return sys.PrintJSON(nodes)
				}
				table := tabwriter.NewWriter(sys.Stdout, 0, 0, 2, ' ', 0)
				fmt.Fprintln(table, "ID\tLEADER\tMODULES")
				for _, n := range nodes {
					leader := "-"
					if n.Leader {
						leader = "yes"
					}
					fmt.Fprintf(table, "%s\t%s\t%s\n", n.ID, leader, host.OrDash(n.Modules))
				}
				return table.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newNodeRemove(sys *host.System) *cobra.Command {
	return &cobra.Command{
		Use:     "remove ID",
		Aliases: []string{"rm"},
		Short:   "Remove a node that no module is on",
		Long: `Remove a node's Redis user and keys. Its gateway can read nothing more. A node
that modules are on is not removed.`,
		Example:     `  gatewayctl node remove 2`,
		Annotations: registry.ExitStatus(),
		Args:        cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAccounts(cmd.Context(), sys, func(a *accounts) error { return a.runNodeRemove(cmd.Context(), args[0]) })
		},
	}
}

func (a *accounts) runNodeRemove(ctx context.Context, id string) error {
	user := account.NodeUser(id)
	list, err := a.OwnUsers(ctx)
	if err != nil {
		return err
	}
	if !account.ValidNodeID(id) || !list.Has(user) {
		return notThere(user)
	}
	keys, err := a.Scan(ctx, user+"/*")
	if err != nil {
		return err
	}
	err = a.Change(ctx, "remove node "+id, func(tx *redis.Tx) (func(redis.Pipeliner), error) {
		placed, err := tx.HGetAll(ctx, catalog.ModuleNode).Result()
		if err != nil {
			return nil, err
		}
		leader, err := tx.HGet(ctx, catalog.ClusterEnvironment, catalog.FieldNodeID).Result()
		if host.IgnoreNil(err) != nil {
			return nil, err
		}
		for module, where := range placed {
			if where == id {
				return nil, exit.Failf(exit.Conflict, "module %s is on node %s: remove it first", module, id)
			}
		}
		return func(p redis.Pipeliner) {
			if leader == id {
				p.HDel(ctx, catalog.ClusterEnvironment, catalog.FieldNodeID)
			}
			if len(keys) > 0 {
				p.Del(ctx, keys...)
			}
			p.Do(ctx, "ACL", "DELUSER", user)
		}, nil
	}, catalog.ModuleNode, catalog.ClusterEnvironment)
	if err != nil {
		return err
	}
	return a.Announce(ctx)
}

func newNodePasswd(sys *host.System) *cobra.Command {
	var output rotation
	cmd := &cobra.Command{
		Use:   "passwd [flags] ID",
		Short: "Give a node a new password, and print it, once",
		Long: `Give a node a new password, and print it, once. The old one is no longer accepted
from that moment, and connections to Redis that used it are ended: start the
node's gateway again with the new one. An --env-file that is there keeps its other
lines; one that is lost is written again.

With --keep-old both passwords are valid, so that the gateway can be started again
with the new one before --drop-old ends the old one.`,
		Example:     `  gatewayctl node passwd --env-file node.env 1`,
		Annotations: registry.ExitStatus(),
		Args:        cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAccounts(cmd.Context(), sys, func(a *accounts) error {
				return a.rotate(cmd.Context(), &output, account.NodeUser(args[0]), func(password string) ([]envfile.Variable, error) {
					return a.nodeVariables(args[0], password)
				})
			})
		},
	}
	output.register(cmd.Flags())
	return cmd
}
