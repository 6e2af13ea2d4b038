package runs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
)

// NewRuns returns the command runs.
func NewRuns(sys *host.System) *cobra.Command {
	cmd := &cobra.Command{
		Use:         "runs",
		Short:       "Show the history of planned runs",
		Example:     `  gatewayctl runs list --module myapp1`,
		Annotations: runsStatus(),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newList(sys), newShow(sys))
	return cmd
}

func runsStatus() map[string]string {
	return exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Forbidden, exit.Redis, exit.NotFound, exit.Signal)
}

// listOptions are the flags of runs list.
type listOptions struct {
	schedule, module, kind, outcome, since string
	most                                   int
	asJSON                                 bool
}

func newList(sys *host.System) *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:     "list [flags]",
		Aliases: []string{"ls"},
		Short:   "List the outcomes of planned runs, the newest first",
		Example: `  gatewayctl runs list --module myapp1
  gatewayctl runs list --outcome failed --since 48h
  gatewayctl runs list --json | jq -r '.[].id'`,
		Annotations: runsStatus(),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), sys) },
	}
	addChoice(sys, cmd, &o.schedule, &o.module)
	flags := cmd.Flags()
	flags.StringVar(&o.kind, "kind", "", "only of this `KIND`: backup, retention, prune, check or drill")
	names.CompleteFlag(cmd, "kind", names.OneOf(words(history.Kinds)...))
	flags.StringVar(&o.outcome, "outcome", "", "only with this `OUTCOME`: done, partial, failed, missed or skipped")
	names.CompleteFlag(cmd, "outcome", names.OneOf(words(history.Outcomes)...))
	flags.StringVar(&o.since, "since", "", "only what ended since a `TIME`: as in RFC 3339, or how long ago, such as 48h")
	flags.IntVar(&o.most, "limit", 50, "`N` of them at most; 0 is all")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON")
	return cmd
}

func words[T ~string](values []T) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return texts
}

// query converts the flags to a query.
func (o *listOptions) query() (history.Query, error) {
	q := history.Query{Module: o.module, Kind: history.Kind(o.kind), Outcome: history.Outcome(o.outcome), Most: o.most}
	switch {
	case o.kind != "" && !slices.Contains(history.Kinds, q.Kind):
		return q, exit.Failf(exit.Usage, "--kind %q: give one of %s", o.kind, strings.Join(words(history.Kinds), ", "))
	case o.outcome != "" && !slices.Contains(history.Outcomes, q.Outcome):
		return q, exit.Failf(exit.Usage, "--outcome %q: give one of %s", o.outcome, strings.Join(words(history.Outcomes), ", "))
	case o.most < 0:
		return q, exit.Failf(exit.Usage, "--limit %d is negative", o.most)
	case o.since == "":
		return q, nil
	}
	var err error
	if q.Since, err = time.Parse(time.RFC3339, o.since); err == nil {
		return q, nil
	}
	ago, err := time.ParseDuration(o.since)
	if err != nil || ago < 0 {
		return q, exit.Failf(exit.Usage, "--since %q: give a time such as 2026-11-29T20:00:00Z, or how long ago, such as 48h", o.since)
	}
	q.Since = time.Now().Add(-ago)
	return q, nil
}

func (o *listOptions) run(ctx context.Context, sys *host.System) error {
	q, err := o.query()
	if err != nil {
		return err
	}
	rdb, err := connect(ctx, sys)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	if o.schedule != "" {
		if q.Schedule, err = names.ScheduleNamed(ctx, rdb, o.schedule); err != nil {
			return err
		}
	}
	found, err := history.Read(ctx, rdb, q)
	if err != nil {
		return err
	}
	if o.asJSON {
		return sys.PrintJSON(append([]history.Run{}, found...))
	}
	table := tabwriter.NewWriter(sys.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENDED\tMODULE\tSCHEDULE\tKIND\tOUTCOME\tTOOK\tRUN\tDETAIL")
	for i := range found {
		r := &found[i]
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", minute(r.Ended), host.Printable(r.Module), host.Printable(r.Schedule), r.Kind, r.Outcome,
			r.Duration().Round(time.Second/10), host.Printable(r.ID), host.Printable(firstLine(detail(r))))
	}
	return table.Flush()
}

// detail returns the last column for a run.
func detail(r *history.Run) string {
	switch {
	case r.Error != "":
		return r.Error
	case r.Detail != "":
		return r.Detail
	case r.Kind == history.Backup && r.Snapshot != "":
		return fmt.Sprintf("snapshot %.8s, %s, %s added", r.Snapshot, host.FormatBytes(r.Bytes), host.FormatBytes(r.Added))
	}
	return ""
}

func newShow(sys *host.System) *cobra.Command {
	return &cobra.Command{
		Use:   "show RUN",
		Short: "Show all that is known of a run",
		Long: `Show as JSON all outcomes of a run, whose ID or the beginning of it "runs list" shows;
latest is the one that ended last.`,
		Example:     `  gatewayctl runs show latest`,
		Annotations: runsStatus(),
		Args:        cobra.ExactArgs(1),
		RunE:        func(cmd *cobra.Command, args []string) error { return show(cmd.Context(), sys, args[0]) },
	}
}

func show(ctx context.Context, sys *host.System, id string) error {
	rdb, err := connect(ctx, sys)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	if id == "latest" {
		last, err := history.Read(ctx, rdb, history.Query{Most: 1})
		if err != nil {
			return err
		}
		if len(last) == 0 {
			return exit.Failf(exit.NotFound, "nothing has run yet")
		}
		id = last[0].ID
	}
	found, err := history.Read(ctx, rdb, history.Query{ID: id})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return exit.Failf(exit.NotFound, "there is no run %q: see gatewayctl runs list", host.Printable(id))
	}
	return sys.PrintJSON(found)
}
