package trash

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/gatewayadmin"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// NewCommand returns the command trash.
func NewCommand(sys *host.System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trash",
		Short: "List deleted objects of repositories, bring them back, or purge them early",
		Long: `List deleted objects of repositories, bring them back, or purge them early.

What a node deletes from a repository (packs, indexes, snapshots, keys, config) is kept
for a time: "destination alter --keep-deleted" sets it, and it is 7 days unless set.
Locks are not kept.`,
		Example: `  gatewayctl trash list --destination DESTINATION
  gatewayctl trash restore --destination DESTINATION --repository dokuwiki/UUID`,
		Annotations: status(),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newList(sys), newRestore(sys), newEmpty(sys))
	return cmd
}

func status() map[string]string {
	return exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Unreachable, exit.Forbidden, exit.Redis, exit.NotFound, exit.Signal)
}

// choice holds the flags that select deleted objects.
type choice struct {
	destination, repository string
	name                    string
	kinds                   []string
	since, before           string
	asJSON                  bool
}

// kinds are the kinds of deleted objects of a repository.
var kinds = []string{"config", "data", "index", "keys", "snapshots"}

func (c *choice) register(flags *pflag.FlagSet) {
	flags.StringVar(&c.destination, "destination", "", "`name` or ID of the destination")
	flags.StringVar(&c.repository, "repository", "", "only of this repository, `APP/UUID`")
	flags.StringSliceVar(&c.kinds, "kind", nil, "only of this `kind`: config, data, index, keys or snapshots; may be repeated")
	flags.StringVar(&c.name, "name", "", "only objects whose names begin with these `digits`")
	flags.StringVar(&c.since, "since", "", "only what was deleted at this `time` or later: as in RFC 3339, or how long ago, such as 2h")
	flags.StringVar(&c.before, "before", "", "only what was deleted before this `time`")
	flags.BoolVar(&c.asJSON, "json", false, "print JSON")
}

// request converts the flags to a request to the gateway.
func (c *choice) request(ctx context.Context, sys *host.System) (adminapi.TrashRequest, error) {
	req := adminapi.TrashRequest{Repository: c.repository, Kinds: c.kinds, Name: c.name}
	if c.destination == "" {
		return req, exit.Failf(exit.Usage, "--destination is missing")
	}
	for _, kind := range c.kinds {
		if !slices.Contains(kinds, kind) {
			return req, exit.Failf(exit.Usage, "--kind %q: give one of %s", kind, strings.Join(kinds, ", "))
		}
	}
	if c.repository != "" && strings.Count(c.repository, "/") != 1 {
		return req, exit.Failf(exit.Usage, "--repository %q: give APP/UUID", c.repository)
	}
	var err error
	if req.Since, err = run.ParseTime("--since", c.since); err != nil {
		return req, err
	}
	if req.Before, err = run.ParseTime("--before", c.before); err != nil {
		return req, err
	}
	req.Destination, err = destinationID(ctx, sys, c.destination)
	return req, err
}

// destinationID returns the ID of the destination that a word names. A complete ID is not
// looked up, so that it works without Redis.
func destinationID(ctx context.Context, sys *host.System, word string) (string, error) {
	if account.ValidUUID(word) {
		return word, nil
	}
	return names.DestinationAsAgent(ctx, sys, word)
}

func newList(sys *host.System) *cobra.Command {
	var c choice
	cmd := &cobra.Command{
		Use:   "list [flags] --destination NAME",
		Short: "List deleted objects that are kept",
		Example: `  gatewayctl trash list --destination DESTINATION
  gatewayctl trash list --destination DESTINATION --kind snapshots --since 24h --json`,
		Annotations: status(),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runList(cmd.Context(), sys, &c)
		},
	}
	c.register(cmd.Flags())
	completeFlags(sys, cmd)
	return cmd
}

// completeFlags completes destinations and kinds in a shell.
func completeFlags(sys *host.System, cmd *cobra.Command) {
	completeDestination(sys, cmd)
	must(cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(kinds, cobra.ShellCompDirectiveNoFileComp)))
}

func completeDestination(sys *host.System, cmd *cobra.Command) {
	must(cmd.RegisterFlagCompletionFunc("destination", names.Complete(sys, names.DestinationEntries, 1)))
}

func must(err error) {
	if err != nil {
		panic(err) // registered twice: a defect that the first start shows
	}
}

func runList(ctx context.Context, sys *host.System, c *choice) error {
	req, err := c.request(ctx, sys)
	if err != nil {
		return err
	}
	objects, err := gatewayadmin.TrashList(ctx, sys, req)
	if err != nil {
		return err
	}
	if c.asJSON {
		return sys.PrintJSON(objects)
	}
	const minute = "2006-01-02 15:04"
	table := tabwriter.NewWriter(sys.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "REPOSITORY\tKIND\tNAME\tSIZE\tDELETED\tKEPT UNTIL")
	for _, o := range objects {
		fmt.Fprintf(table, "%s\t%s\t%.8s\t%s\t%s\t%s\n", host.Printable(o.Repository), o.Kind, o.Name,
			host.FormatBytes(uint64(max(0, o.Size))), o.Deleted.Local().Format(minute), o.Expires.Local().Format(minute))
	}
	return table.Flush()
}

func newRestore(sys *host.System) *cobra.Command {
	var c choice
	cmd := &cobra.Command{
		Use:   "restore [flags] --destination NAME",
		Short: "Bring deleted objects back",
		Long: `Bring deleted objects back, with the time of their first receipt: packs first, then
indexes, snapshots, keys and config. What is there already stays as it is. To undo a
forget or a prune, bring back everything that it deleted; restic needs no repair then.`,
		Example: `  gatewayctl trash restore --destination DESTINATION --repository dokuwiki/UUID --since 2h
  gatewayctl trash restore --destination DESTINATION --kind snapshots --name 4545746202e7`,
		Annotations: status(),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			req, err := c.request(cmd.Context(), sys)
			if err != nil {
				return err
			}
			done, err := gatewayadmin.TrashRestore(cmd.Context(), sys, req)
			if err != nil {
				return err
			}
			return c.report(sys, "brought back", done)
		},
	}
	c.register(cmd.Flags())
	completeFlags(sys, cmd)
	return cmd
}

// report prints what was done.
func (c *choice) report(sys *host.System, what string, done adminapi.TrashDone) error {
	if c.asJSON {
		return sys.PrintJSON(done)
	}
	skipped := ""
	if done.Skipped > 0 {
		skipped = fmt.Sprintf("; %d are there already", done.Skipped)
	}
	_, err := fmt.Fprintf(sys.Stdout, "%s: %d objects, %s%s\n", what, done.Objects, host.FormatBytes(uint64(max(0, done.Bytes))), skipped)
	return err
}
