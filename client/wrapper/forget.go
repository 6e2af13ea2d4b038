package wrapper

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/expire"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/retention"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// forgetOptions are the flags of forget.
type forgetOptions struct {
	where       wrapperArgs
	policy      retention.Policy
	within      string
	groupBy     []string
	acknowledge []string
	dryRun      bool
	prune       bool
	force       bool
	maxShare    int
}

// NewForget returns the command forget.
func NewForget(sys *host.System) *cobra.Command {
	var o forgetOptions
	cmd := &cobra.Command{
		Use:   "forget [flags]",
		Short: "Let old snapshots of a module go, by times that the module cannot choose",
		Long: `Let old snapshots of a module's repository go. What is kept is counted as restic's
forget counts, but a module's snapshots count by when the gateway received them; those
that a node saved (copy, tag, rewrite) by their own time.

A snapshot whose own time is more than a day from its receipt, one of a burst, and one
far smaller than those before it are held: they neither go nor make another go, until
somebody has looked at them and names them with --acknowledge. That is remembered.

What goes is shown first. Nothing goes where the last snapshot would, or more than
--max-share percent of them, unless --force is given.

It runs as a node, and restic removes what goes. Without --prune the data stays, until
restic prune frees it.`,
		Example: `  gatewayctl forget --module dokuwiki1 --keep-daily 7 --keep-weekly 4 --dry-run
  gatewayctl forget --module dokuwiki1 --keep-daily 7 --keep-weekly 4 --prune
  gatewayctl forget --destination DESTINATION --repopath dokuwiki/UUID --keep-within 30d`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Forbidden, exit.Redis, exit.NotFound, exit.Conflict, exit.Locked, exit.Password, exit.Unreachable),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return runForget(cmd.Context(), sys, &o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.where.module, "module", "", "`ID` of the module whose repository it is")
	flags.StringVar(&o.where.backup, "backup", "", "the schedule whose destination it is, by `NAME` or ID (default: the one with the lowest number that lists the module)")
	flags.StringVar(&o.where.destination, "destination", "", "the destination, by `NAME` or ID, in place of a schedule's")
	flags.StringVar(&o.where.repopath, "repopath", "", "the repository's `PATH` on it, APP/UUID, in place of a module's")
	for _, rule := range []struct {
		name, about string
		count       *int
	}{
		{"last", "the last `N` snapshots", &o.policy.Last},
		{"hourly", "the last one of each of the last `N` hours that have any", &o.policy.Hourly},
		{"daily", "the same of the last `N` days", &o.policy.Daily},
		{"weekly", "the same of the last `N` weeks", &o.policy.Weekly},
		{"monthly", "the same of the last `N` months", &o.policy.Monthly},
		{"yearly", "the same of the last `N` years", &o.policy.Yearly},
	} {
		flags.IntVar(rule.count, "keep-"+rule.name, 0, "keep "+rule.about+"; -1 is all")
	}
	flags.StringVar(&o.within, "keep-within", "", "keep all within `DURATION`, such as 1y5m7d2h, of the latest")
	flags.StringSliceVar(&o.groupBy, "group-by", []string{"host", "paths"}, "count those together that have the same `FIELDS`: host, paths, tags; empty counts all together")
	flags.StringSliceVar(&o.acknowledge, "acknowledge", nil, "`ID` of a snapshot that was held and is in order; may be repeated")
	o.where.wait.AddFlag(flags)
	flags.BoolVar(&o.dryRun, "dry-run", false, "only show what would go")
	flags.BoolVar(&o.prune, "prune", false, "free the space as well")
	flags.BoolVar(&o.force, "force", false, "also where the last snapshot would go, more than --max-share, or where the storage does not know when it received them")
	flags.IntVar(&o.maxShare, "max-share", expire.DefaultMaxShare, "most of the snapshots that may go at once, in `PERCENT`")
	return cmd
}

func (o *forgetOptions) check() (by retention.GroupBy, err error) {
	if err := o.where.wait.Check(); err != nil {
		return by, err
	}
	if o.within != "" {
		if o.policy.Within, err = retention.ParseSpan(o.within); err != nil {
			return by, exit.Failf(exit.Usage, "--keep-within %q: %w", o.within, err)
		}
	}
	if o.policy.Empty() && len(o.acknowledge) == 0 {
		return by, exit.Failf(exit.Usage, "say what to keep, such as --keep-daily 7: without it everything would go")
	}
	if err := o.policy.Check(); err != nil {
		return by, exit.With(exit.Usage, err)
	}
	if o.maxShare < 1 || o.maxShare > 100 {
		return by, exit.Failf(exit.Usage, "--max-share %d: give 1 to 100", o.maxShare)
	}
	if by, err = retention.ParseGroupBy(o.groupBy); err != nil {
		return by, exit.Failf(exit.Usage, "--group-by: %w", err)
	}
	return by, nil
}

func runForget(ctx context.Context, sys *host.System, o *forgetOptions) error {
	by, err := o.check()
	if err != nil {
		return err
	}
	repository, err := wrappedRepository(ctx, sys, &o.where)
	if err != nil {
		return err
	}
	command, err := wrapperInvocation(ctx, sys, o.where)
	if err != nil {
		return err
	}
	command.Repository = repository
	snapshots, err := expire.List(ctx, sys, o.waiting(command, "snapshots", "--json"))
	if err != nil {
		return err
	}
	if err := o.settleAcknowledged(ctx, sys, snapshots); err != nil {
		return err
	}
	if o.policy.Empty() {
		return nil
	}
	plan := retention.Decide(snapshots, o.policy, by, time.Now())
	if err := showPlan(sys, plan); err != nil {
		return err
	}
	if !o.force {
		if err := expire.Refuse(snapshots, plan, o.maxShare, "--force"); err != nil {
			return err
		}
	}
	if o.dryRun || len(plan.Remove) == 0 {
		return nil
	}
	return withLease(ctx, sys, &o.where.wait, repository, "forget", func(ctx context.Context) error {
		return o.forget(ctx, sys, command, plan.Remove)
	})
}

// waiting returns a function that runs restic, waiting for a lock in the repository if
// possible.
func (o *forgetOptions) waiting(command restic.Invocation, args ...string) restic.Invocation {
	if left := o.where.wait.Left(); left > 0 && command.Version.Has(restic.RetryLockVersion) {
		args = append([]string{run.RetryLockFlag(left)}, args...)
	}
	return command.With(args...)
}

// settleAcknowledged marks the snapshots that somebody has reviewed, now or before.
func (o *forgetOptions) settleAcknowledged(ctx context.Context, sys *host.System, snapshots []*retention.Snapshot) error {
	var named []string
	for _, id := range o.acknowledge {
		var found []*retention.Snapshot
		for _, s := range snapshots {
			if len(id) >= 8 && strings.HasPrefix(s.ID, id) {
				found = append(found, s)
			}
		}
		if len(found) != 1 {
			return exit.Failf(exit.NotFound, "--acknowledge %s: %d snapshots begin with that, of which 8 digits are needed", id, len(found))
		}
		named = append(named, found[0].ID)
	}
	remembered := map[string]bool{}
	if node := expire.Node(sys.Env); node != "" {
		var err error
		if remembered, err = expire.Acknowledge(ctx, sys, node, named); err != nil {
			return err
		}
	}
	for _, s := range snapshots {
		s.Acknowledged = remembered[s.ID] || slices.Contains(named, s.ID)
	}
	return nil
}

// showPlan prints what happens to each snapshot, held ones first.
func showPlan(sys *host.System, plan retention.Plan) error {
	table := tabwriter.NewWriter(sys.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SNAPSHOT\tCOUNTS AS OF\tHOST\tWHAT BECOMES OF IT")
	row := func(s *retention.Snapshot, what string) {
		fmt.Fprintf(table, "%s\t%s\t%q\t%s\n", restic.ShortID(s.ID), s.When().Format(time.DateTime), s.Hostname, what)
	}
	for _, h := range plan.Held {
		row(h.Snapshot, "held: "+h.Why)
	}
	for _, s := range plan.Keep {
		row(s, "stays")
	}
	for _, s := range plan.Remove {
		row(s, "goes")
	}
	err := table.Flush()
	fmt.Fprintf(sys.Stdout, "%d stay, %d go, %d are held\n", len(plan.Keep), len(plan.Remove), len(plan.Held))
	if len(plan.Held) > 0 {
		sys.Warnf("%d snapshots look wrong, and neither go nor make others go: look at them, and name those in order with --acknowledge; if a module did not make them, change its password", len(plan.Held))
	}
	return err
}

// forget lets restic remove snapshots, by ID.
func (o *forgetOptions) forget(ctx context.Context, sys *host.System, command restic.Invocation, remove []*retention.Snapshot) error {
	err := expire.Remove(remove, func(args ...string) error {
		err := o.waiting(command, args...).Run(ctx, restic.Streams{Stdout: sys.Stdout, Stderr: sys.Stderr})
		return run.ResticError(command.Repository, err)
	})
	if err != nil {
		return err
	}
	if !o.prune {
		return nil
	}
	if err := o.waiting(command, "prune").Run(ctx, restic.Streams{Stdout: sys.Stdout, Stderr: sys.Stderr}); err != nil {
		return run.ResticError(command.Repository, err)
	}
	return nil
}
