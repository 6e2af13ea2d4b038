package schedules

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/registry"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
)

func newAlter(sys *host.System) *cobra.Command {
	opts := newOptions()
	cmd := &cobra.Command{
		Use:   "alter NAME [flags]",
		Short: "Change a schedule: what no option says stays",
		Long: `Change a schedule: what no option says stays. When it runs is shown on stderr, before it
is saved; with --dry-run it is not saved. A number of 0 takes a --keep option away, and
without any --keep option --retention counts again.

Of a schedule of NethServer 8 only what NethServer 8 does not keep can be changed.`,
		Example: `  gatewayctl schedule alter nightly --when "Mon..Fri 02:30" --time-zone Europe/Rome
  gatewayctl schedule alter nightly --add myapp2 --remove myapp1
  gatewayctl schedule alter 1 --keep-daily 7 --keep-weekly 4 --check monthly --dry-run`,
		Annotations:       registry.ExitStatus(),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: names.Complete(sys, names.ScheduleEntries, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.finish(); err != nil {
				return err
			}
			return withAdmin(cmd.Context(), sys, func(a *admin) error {
				return a.runAlter(cmd.Context(), args[0], opts, cmd.Flags())
			})
		},
	}
	opts.register(cmd, sys)
	cmd.Flags().StringSliceVar(&opts.add, "add", nil, "back up `MODULE` too; can be repeated")
	cmd.Flags().StringSliceVar(&opts.remove, "remove", nil, "no longer back up `MODULE`; can be repeated")
	for _, name := range []string{"add", "remove"} {
		names.CompleteFlag(cmd, name, names.Complete(sys, names.ModuleEntries, names.AnyNumber))
	}
	return cmd
}

func (a *admin) runAlter(ctx context.Context, word string, opts *options, flags *pflag.FlagSet) error {
	if err := a.resolveAltered(ctx, opts); err != nil {
		return err
	}
	described := false
	_, err := a.changeSchedule(ctx, "alter schedule", word, opts.dryRun, func(tx *redis.Tx, s *schedule.Schedule) error {
		if err := alterSchedule(ctx, tx, s, opts, flags); err != nil {
			return err
		}
		now := time.Now()
		if err := checkTimes(s, now); err != nil {
			return err
		}
		if !described {
			a.describe(s, now)
			described = true
		}
		return nil
	})
	return err
}

// resolveAltered replaces names by IDs. A module to be removed may no longer exist.
func (a *admin) resolveAltered(ctx context.Context, opts *options) error {
	list, err := a.Users(ctx)
	if err != nil {
		return err
	}
	if node := opts.given.Node; node != "" && !slices.Contains(list.Nodes(), node) {
		return exit.Failf(exit.NotFound, "node %s does not exist: see gatewayctl node list", node)
	}
	if opts.given.Destination != "" {
		if opts.given.Destination, err = names.DestinationNamed(ctx, a.Redis, opts.given.Destination); err != nil {
			return err
		}
	}
	if opts.add, err = resolveModules(ctx, a.Redis, opts.add); err != nil {
		return err
	}
	opts.given.Except, err = resolveModules(ctx, a.Redis, opts.given.Except)
	return err
}

// alterSchedule applies options to an existing schedule.
func alterSchedule(ctx context.Context, tx *redis.Tx, s *schedule.Schedule, opts *options, flags *pflag.FlagSet) error {
	before := slices.Clone(s.Modules)
	opts.apply(flags, s)
	if !s.All {
		s.Node, s.Except = "", without(s.Except, s.Except)
		if flags.Changed("node") || len(opts.given.Except) > 0 {
			return checkAll(&opts.given, false)
		}
	}
	for _, module := range opts.remove {
		if !slices.Contains(s.Modules, module) {
			return exit.Failf(exit.NotFound, "schedule %s does not back up module %s", s.ID, host.Printable(module))
		}
	}
	if s.All {
		s.Except = without(append(s.Except, opts.remove...), opts.add)
		slices.Sort(s.Except)
		s.Except = slices.Compact(s.Except)
	}
	s.Modules = without(s.Modules, opts.remove)
	for _, module := range opts.add {
		if !slices.Contains(s.Modules, module) {
			s.Modules = append(s.Modules, module)
		}
	}
	if err := takeAll(ctx, tx, s); err != nil {
		return err
	}
	// What the schedule already names may have been removed: its runs report that.
	added := *s
	added.All, added.Modules = false, without(s.Modules, before)
	if !flags.Changed("destination") && len(added.Modules) == 0 {
		return nil
	}
	return checkNamed(ctx, tx, &added)
}

func newPause(sys *host.System) *cobra.Command {
	var until string
	cmd := &cobra.Command{
		Use:   "pause NAME [--until TIME]",
		Short: "Pause a schedule: its runs are skipped, and recorded as that",
		Long: `Pause a schedule, until a time or until "gatewayctl schedule resume". Its runs are
skipped, and recorded as that, so that nobody takes the pause for backups that are well.`,
		Example: `  gatewayctl schedule pause nightly
  gatewayctl schedule pause nightly --until 36h`,
		Annotations:       registry.ExitStatus(),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: names.Complete(sys, names.ScheduleEntries, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAdmin(cmd.Context(), sys, func(a *admin) error { return a.runPause(cmd.Context(), args[0], until) })
		},
	}
	cmd.Flags().StringVar(&until, "until", "", "`TIME` at which it goes on by itself: a date, a date and a time, or how long that is from now, such as 36h")
	return cmd
}

func (a *admin) runPause(ctx context.Context, word, until string) error {
	s, err := a.changeSchedule(ctx, "pause schedule", word, false, func(_ *redis.Tx, s *schedule.Schedule) error {
		now := time.Now()
		end, err := untilTime(until, now, s.Location())
		if err != nil {
			return err
		}
		if s.Paused.IsZero() {
			s.Paused = now
		}
		s.Until = end
		return nil
	})
	if err != nil {
		return err
	}
	if s.Until.IsZero() {
		a.Sys.Notef("%s is paused until \"gatewayctl schedule resume %s\"", s.Title(), s.ID)
	} else {
		a.Sys.Notef("%s is paused until %s", s.Title(), s.Until.In(s.Location()).Format(shownTime))
	}
	return nil
}

// untilTime parses the end of a pause; "" is zero.
func untilTime(text string, now time.Time, loc *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	end := time.Time{}
	if d, err := time.ParseDuration(text); err == nil {
		end = now.Add(d)
	}
	for _, form := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(form, text, loc); err == nil {
			end = at
		}
	}
	switch {
	case end.IsZero():
		return end, exit.Failf(exit.Usage, "--until %q is no time: give a date such as 2026-12-27, with a time such as \"2026-12-27 08:00\", or a duration such as 36h", host.Printable(text))
	case !end.After(now):
		return end, exit.Failf(exit.Usage, "--until %q has passed", host.Printable(text))
	}
	return end, nil
}

func newResume(sys *host.System) *cobra.Command {
	return &cobra.Command{
		Use:               "resume NAME",
		Short:             "End the pause of a schedule",
		Example:           `  gatewayctl schedule resume nightly`,
		Annotations:       registry.ExitStatus(),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: names.Complete(sys, names.ScheduleEntries, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAdmin(cmd.Context(), sys, func(a *admin) error { return a.runResume(cmd.Context(), args[0]) })
		},
	}
}

func (a *admin) runResume(ctx context.Context, word string) error {
	s, err := a.changeSchedule(ctx, "resume schedule", word, false, func(_ *redis.Tx, s *schedule.Schedule) error {
		s.Paused, s.Until, s.Enabled = time.Time{}, time.Time{}, true
		return nil
	})
	if err != nil {
		return err
	}
	a.describe(s, time.Now())
	return nil
}
