package schedules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/naming"
	"github.com/rclone-gateway/rclone-gateway/client/retention"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/internal/calendar"
)

// options are the flags that describe a schedule.
type options struct {
	id            string
	given         schedule.Schedule // values of the flags
	quiet, within string
	add, remove   []string
	dryRun        bool
}

// newOptions returns options with the defaults of a new schedule.
func newOptions() *options {
	return &options{given: schedule.Schedule{
		When: "daily", Retention: schedule.DefaultRetention, Enabled: true, Plan: schedule.DefaultPlan(),
	}}
}

// register adds the options to a command.
func (o *options) register(cmd *cobra.Command, sys *host.System) {
	flags, s := cmd.Flags(), &o.given
	flags.StringVar(&s.Destination, "destination", "", "`NAME` or ID of the destination")
	names.CompleteFlag(cmd, "destination", names.Complete(sys, names.DestinationEntries, names.AnyNumber))
	flags.StringVar(&s.Name, "name", "", "`NAME` that people see")
	flags.BoolVar(&s.All, "all", false, "back up all modules, those to come too")
	flags.StringVar(&s.Node, "node", "", "with --all: those of the node with this `ID` only")
	flags.StringSliceVar(&s.Except, "except", nil, "with --all: not `MODULE`; can be repeated")
	names.CompleteFlag(cmd, "except", names.Complete(sys, names.ModuleEntries, names.AnyNumber))
	flags.StringVar(&s.When, "when", s.When, "`TIME` of the backups: as systemd's OnCalendar has it, such as daily or \"Mon..Fri 02:30\", or \"every 6h\"")
	flags.StringVar(&s.TimeZone, "time-zone", "", "`ZONE` of all times, such as Europe/Rome (default: that of the node)")
	flags.DurationVar(&s.RandomDelay, "random-delay", 0, "run up to `DURATION` later, always by the same time, so that not all schedules begin at once")
	flags.BoolVar(&s.NoCatchUp, "no-catch-up", false, "leave out a run that nothing could run at its time, instead of running it later")
	flags.IntVar(&s.Retention, "retention", s.Retention, "`NUMBER` of snapshots to keep of each module, without any --keep option")
	o.registerKeep(flags)
	flags.IntVar(&s.Parallel, "parallel", 0, "back up `NUMBER` modules of a node at once (default 1)")
	flags.DurationVar(&s.Deadline, "deadline", 0, "begin nothing more of a run after `DURATION`; 0 is no limit")
	flags.StringVar(&o.quiet, "quiet", "", "`HOURS` in which nothing begins, such as 08:00-18:30")
	flags.StringVar(&s.Prune, "prune", s.Prune, "`TIME` to prune the repositories, with the run that follows; never: not by itself")
	flags.StringVar(&s.MaxUnused, "max-unused", s.MaxUnused, "`SIZE` or percentage of a repository that may be unused after a prune")
	flags.DurationVar(&s.PruneLimit, "prune-limit", s.PruneLimit, "a prune takes at most `DURATION`")
	flags.StringVar(&s.Plan.Check, "check", s.Plan.Check, "`TIME` to check the repositories, with the run that follows; never: not by itself")
	flags.IntVar(&s.ReadDays, "read-days", s.ReadDays, "the checks of this `NUMBER` of days read all data once; 0: they read none")
	flags.StringVar(&s.Drill, "drill", s.Drill, "`TIME` to prove that a module can be restored, with the run that follows, by turns; never: not by itself")
	flags.IntVar(&s.DrillModules, "drill-modules", s.DrillModules, "`NUMBER` of modules of a node to prove that of each time; 0: all of them")
	flags.BoolVar(&o.dryRun, "dry-run", false, "show what would be saved and when it runs, and save nothing")
}

func (o *options) registerKeep(flags *pflag.FlagSet) {
	keep := &o.given.Keep
	for _, option := range []struct {
		name, what string
		place      *int
	}{
		{"keep-last", "the newest `NUMBER` of snapshots", &keep.Last}, {"keep-hourly", "one of each of `NUMBER` hours", &keep.Hourly},
		{"keep-daily", "one of each of `NUMBER` days", &keep.Daily}, {"keep-weekly", "one of each of `NUMBER` weeks", &keep.Weekly},
		{"keep-monthly", "one of each of `NUMBER` months", &keep.Monthly}, {"keep-yearly", "one of each of `NUMBER` years", &keep.Yearly},
	} {
		flags.IntVar(option.place, option.name, 0, "keep "+option.what+" in which there are some")
	}
	flags.StringVar(&o.within, "keep-within", "", "keep all snapshots of the last `SPAN`, such as 1y5m7d2h")
}

// finish parses and checks the options.
func (o *options) finish() error {
	s := &o.given
	var err error
	if s.Quiet, err = schedule.ParseHours(o.quiet); err != nil {
		return exit.Failf(exit.Usage, "--quiet %q: %w", host.Printable(o.quiet), err)
	}
	if o.within != "" {
		if s.Keep.Within, err = retention.ParseSpan(o.within); err != nil {
			return exit.Failf(exit.Usage, "--keep-within %q: %w", host.Printable(o.within), err)
		}
	}
	if s.Retention < 1 {
		return exit.Failf(exit.Usage, "--retention %d: at least 1 snapshot must be kept", s.Retention)
	}
	if s.Node != "" && !account.ValidNodeID(s.Node) {
		return exit.Failf(exit.Usage, "--node %q is not the ID of a node: it is a number from 1 on", host.Printable(s.Node))
	}
	if _, err := time.LoadLocation(s.TimeZone); err != nil || s.TimeZone == "Local" {
		return exit.Failf(exit.Usage, "--time-zone %q is no time zone that is known here: give one such as UTC or Europe/Rome", host.Printable(s.TimeZone))
	}
	if host.Printable(s.Name) != s.Name {
		return exit.Failf(exit.Usage, "--name %q holds control characters", s.Name)
	}
	for name, d := range map[string]time.Duration{"random-delay": s.RandomDelay, "deadline": s.Deadline, "prune-limit": s.PruneLimit} {
		if d < 0 {
			return exit.Failf(exit.Usage, "--%s %s is negative", name, d)
		}
	}
	for name, text := range map[string]*string{"when": &s.When, "prune": &s.Prune, "check": &s.Plan.Check, "drill": &s.Drill} {
		if *text, err = whenOf(name, *text); err != nil {
			return err
		}
	}
	return nil
}

// whenOf parses a calendar option to systemd's form.
func whenOf(option, text string) (string, error) {
	if text == schedule.Never && option != "when" {
		return text, nil
	}
	expanded, err := calendar.Expand(text)
	if err == nil {
		_, err = calendar.Parse(expanded)
	}
	if err != nil {
		return "", exit.Failf(exit.Usage, "--%s %q is no time in the form of systemd's OnCalendar, such as daily or \"Mon..Fri 02:30\", nor one such as \"every 6h\": %w%s",
			option, host.Printable(text), err, naming.DidYouMean(text, calendar.Words))
	}
	return expanded, nil
}

// checkTimes refuses times that never come.
func checkTimes(s *schedule.Schedule, now time.Time) error {
	for _, option := range []struct{ name, text string }{{"when", s.When}, {"prune", s.Prune}, {"check", s.Plan.Check}, {"drill", s.Drill}} {
		if option.text == schedule.Never {
			continue
		}
		event, err := calendar.Parse(option.text)
		if err == nil && event.Next(now, s.Location()).IsZero() {
			err = errors.New("it never comes")
		}
		if err != nil {
			return exit.Failf(exit.Usage, "--%s %q: %w", option.name, host.Printable(option.text), err)
		}
	}
	return s.Check(now)
}

// copies maps each option to a function that copies it from one schedule to another.
var copies = map[string]func(to, from *schedule.Schedule){
	"destination":   func(to, from *schedule.Schedule) { to.Destination = from.Destination },
	"name":          func(to, from *schedule.Schedule) { to.Name = from.Name },
	"all":           func(to, from *schedule.Schedule) { to.All = from.All },
	"node":          func(to, from *schedule.Schedule) { to.Node = from.Node },
	"except":        func(to, from *schedule.Schedule) { to.Except = from.Except },
	"when":          func(to, from *schedule.Schedule) { to.When = from.When },
	"time-zone":     func(to, from *schedule.Schedule) { to.TimeZone = from.TimeZone },
	"random-delay":  func(to, from *schedule.Schedule) { to.RandomDelay = from.RandomDelay },
	"no-catch-up":   func(to, from *schedule.Schedule) { to.NoCatchUp = from.NoCatchUp },
	"retention":     func(to, from *schedule.Schedule) { to.Retention = from.Retention },
	"keep-last":     func(to, from *schedule.Schedule) { to.Keep.Last = from.Keep.Last },
	"keep-hourly":   func(to, from *schedule.Schedule) { to.Keep.Hourly = from.Keep.Hourly },
	"keep-daily":    func(to, from *schedule.Schedule) { to.Keep.Daily = from.Keep.Daily },
	"keep-weekly":   func(to, from *schedule.Schedule) { to.Keep.Weekly = from.Keep.Weekly },
	"keep-monthly":  func(to, from *schedule.Schedule) { to.Keep.Monthly = from.Keep.Monthly },
	"keep-yearly":   func(to, from *schedule.Schedule) { to.Keep.Yearly = from.Keep.Yearly },
	"keep-within":   func(to, from *schedule.Schedule) { to.Keep.Within = from.Keep.Within },
	"parallel":      func(to, from *schedule.Schedule) { to.Parallel = from.Parallel },
	"deadline":      func(to, from *schedule.Schedule) { to.Deadline = from.Deadline },
	"quiet":         func(to, from *schedule.Schedule) { to.Quiet = from.Quiet },
	"prune":         func(to, from *schedule.Schedule) { to.Prune = from.Prune },
	"max-unused":    func(to, from *schedule.Schedule) { to.MaxUnused = from.MaxUnused },
	"prune-limit":   func(to, from *schedule.Schedule) { to.PruneLimit = from.PruneLimit },
	"check":         func(to, from *schedule.Schedule) { to.Plan.Check = from.Plan.Check },
	"read-days":     func(to, from *schedule.Schedule) { to.ReadDays = from.ReadDays },
	"drill":         func(to, from *schedule.Schedule) { to.Drill = from.Drill },
	"drill-modules": func(to, from *schedule.Schedule) { to.DrillModules = from.DrillModules },
}

// apply copies the given options to a schedule.
func (o *options) apply(flags *pflag.FlagSet, s *schedule.Schedule) {
	flags.Visit(func(f *pflag.Flag) {
		if take := copies[f.Name]; take != nil {
			take(s, &o.given)
		}
	})
}

// describe prints when a schedule will run, before it is saved.
func (a *admin) describe(s *schedule.Schedule, now time.Time) {
	event, err := calendar.Parse(s.When)
	if err != nil {
		return // refused before
	}
	text := event.String()
	if s.When != text {
		text = s.When + " (" + text + ")"
	}
	var next []string
	for at := s.Next(now); !at.IsZero() && len(next) < shownTimes; at = s.Next(at) {
		next = append(next, at.In(event.Location(s.Location())).Format(shownTime))
	}
	a.Sys.Notef("%s runs %s, in %s:\n  %s", s.Title(), text, zoneOf(s, event), strings.Join(next, "\n  "))
	if s.RandomDelay > 0 {
		a.Sys.Notef("  each %s later than that time says", s.Delay())
	}
	if day, skipped := event.NextSkipped(now, now.AddDate(1, 0, 0), s.Location()); skipped {
		a.Sys.Warnf("on %s the clock is put forward past that time, and nothing runs: choose another one to have a backup that day", day.Format(time.DateOnly))
	}
}

const (
	shownTimes = 3 // how many times are printed
	shownTime  = "Mon 2006-01-02 15:04:05 MST"
)

// zoneOf returns the name of the time zone of a schedule.
func zoneOf(s *schedule.Schedule, event *calendar.Event) string {
	loc := event.Location(s.Location())
	if loc != time.Local {
		return "the time zone " + loc.String()
	}
	name, _ := time.Now().Zone()
	return fmt.Sprintf("the time zone of the node (here %s)", name)
}

// without returns the words of one list that are not in another.
func without(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(word string) bool { return slices.Contains(others, word) })
}
