package schedules

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/ns8action"
	"github.com/rclone-gateway/rclone-gateway/client/registry"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/internal/calendar"
)

// shownSchedule is a schedule in the output of schedule list.
type shownSchedule struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Destination string     `json:"destination"`
	When        string     `json:"schedule"`
	TimeZone    string     `json:"time_zone"`
	Next        *time.Time `json:"next"`
	Retention   string     `json:"retention"`
	Enabled     bool       `json:"enabled"`
	Paused      bool       `json:"paused"`
	Modules     []string   `json:"modules"`
	// Plan holds the fields of the plan that differ from the default.
	Plan  map[string]string `json:"plan,omitempty"`
	Wrong string            `json:"error,omitempty"`
}

// schedules returns all schedules, ordered by number.
func (a *admin) schedules(ctx context.Context) ([]shownSchedule, error) {
	all, err := schedule.All(ctx, a.Redis)
	if err != nil {
		return nil, err
	}
	shown := []shownSchedule{}
	for i := range all {
		shown = append(shown, show(&all[i], time.Now()))
	}
	return shown, nil
}

func show(s *schedule.Schedule, now time.Time) shownSchedule {
	shown := shownSchedule{
		ID: s.ID, Name: s.Name, Destination: s.Destination, When: s.When, TimeZone: s.TimeZone, Retention: strconv.Itoa(s.Retention),
		Enabled: s.Enabled, Paused: !s.Enabled || s.IsPaused(now), Modules: append([]string{}, s.Modules...), Plan: s.Fields(),
	}
	if next := nextRun(s, now); !next.IsZero() {
		shown.Next = &next
	}
	if err := s.Check(now); err != nil {
		shown.Wrong = err.Error()
	}
	return shown
}

// nextRun returns when a schedule runs next, pauses included; zero is never.
func nextRun(s *schedule.Schedule, now time.Time) time.Time {
	from := now
	switch {
	case !s.Enabled, s.IsPaused(now) && s.Until.IsZero():
		return time.Time{}
	case s.IsPaused(now):
		from = s.Until.Add(-1)
	}
	next := s.Next(from)
	if next.IsZero() {
		return next
	}
	return next.In(s.Location())
}

func newList(sys *host.System) *cobra.Command {
	var asJSON, action bool
	cmd := &cobra.Command{
		Use:     "list [flags]",
		Aliases: []string{"ls"},
		Short:   "List the schedules, and when they run next",
		Example: `  gatewayctl schedule list
  gatewayctl schedule list --json | jq -r '.[].id'`,
		Annotations: registry.ExitStatus(),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAdmin(cmd.Context(), sys, func(a *admin) error {
				if action {
					return a.actListBackups(cmd.Context())
				}
				return a.runList(cmd.Context(), asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	ns8action.Flag(cmd, &action, "list-backups")
	return cmd
}

func (a *admin) runList(ctx context.Context, asJSON bool) error {
	schedules, err := a.schedules(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return a.Sys.PrintJSON(schedules)
	}
	table := tabwriter.NewWriter(a.Sys.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tDESTINATION\tWHEN\tNEXT\tMODULES")
	for _, s := range schedules {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, host.Printable(cmp.Or(s.Name, "-")), host.Printable(cmp.Or(s.Destination, "-")),
			host.Printable(cmp.Or(s.When, "-")), s.nextText(), host.OrDash(s.Modules))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, s := range schedules {
		if s.Wrong != "" {
			a.Sys.Warnf("%s", s.Wrong)
		}
	}
	return nil
}

func (s *shownSchedule) nextText() string {
	switch {
	case s.Next != nil:
		return s.Next.Format("2006-01-02 15:04 MST")
	case s.Paused:
		return "paused"
	}
	return "never"
}

func newShow(sys *host.System) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show NAME [flags]",
		Short: "Show a schedule, and when it runs",
		Example: `  gatewayctl schedule show nightly
  gatewayctl schedule show 1 --json`,
		Annotations:       registry.ExitStatus(),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: names.Complete(sys, names.ScheduleEntries, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAdmin(cmd.Context(), sys, func(a *admin) error {
				id, err := names.ScheduleNamed(cmd.Context(), a.Redis, args[0])
				if err != nil {
					return err
				}
				s, err := schedule.ReadID(cmd.Context(), a.Redis, id)
				if err != nil {
					return err
				}
				if asJSON {
					return sys.PrintJSON(show(&s, time.Now()))
				}
				return a.printSchedule(&s, time.Now())
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printSchedule prints a schedule in detail.
func (a *admin) printSchedule(s *schedule.Schedule, now time.Time) error {
	table := tabwriter.NewWriter(a.Sys.Stdout, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(table, "%s\t%s\n", name, host.Printable(fmt.Sprintf(format, args...)))
	}
	line("ID", "%s", s.ID)
	line("name", "%s", cmp.Or(s.Name, "-"))
	line("destination", "%s", cmp.Or(s.Destination, "-"))
	line("modules", "%s", modulesText(s))
	line("when", "%s", whenText(s))
	line("keeps", "%s", keepText(s))
	line("at once", "%s", strconv.Itoa(max(1, s.Parallel)))
	if s.Deadline > 0 {
		line("deadline", "begins nothing more after %s", s.Deadline)
	}
	if quiet := s.Quiet.String(); quiet != "" {
		line("quiet", "%s", quiet)
	}
	line("prune", "%s", s.Prune)
	if check := s.Plan.Check; check == schedule.Never || s.ReadDays == 0 {
		line("check", "%s", check)
	} else {
		line("check", "%s, all data in %d days", check, s.ReadDays)
	}
	line("drill", "%s", drillText(s))
	for i, at := 0, nextRun(s, now); i < 5; i, at = i+1, s.Next(at) {
		if at.IsZero() {
			line("next", "%s", (&shownSchedule{Paused: !s.Enabled || s.IsPaused(now)}).nextText())
			break
		}
		line(map[bool]string{true: "next"}[i == 0], "%s", at.In(s.Location()).Format(shownTime))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if err := s.Check(now); err != nil {
		a.Sys.Warnf("%v", err)
	}
	return nil
}

// drillText describes when drills run, and of how many modules.
func drillText(s *schedule.Schedule) string {
	switch {
	case s.Drill == schedule.Never:
		return s.Drill
	case s.DrillModules == 0:
		return s.Drill + ", all modules"
	case s.DrillModules == 1:
		return s.Drill + ", one module by turns"
	}
	return fmt.Sprintf("%s, %d modules by turns", s.Drill, s.DrillModules)
}

func modulesText(s *schedule.Schedule) string {
	text := cmp.Or(strings.Join(s.Modules, " "), "-")
	if !s.All {
		return text
	}
	all := "all"
	if s.Node != "" {
		all += " of node " + s.Node
	}
	if len(s.Except) > 0 {
		all += " but " + strings.Join(s.Except, " ")
	}
	return all + ": " + text
}

func whenText(s *schedule.Schedule) string {
	event, err := calendar.Parse(s.When)
	if err != nil {
		return cmp.Or(s.When, "-")
	}
	text := s.When + ", in " + zoneOf(s, event)
	if s.RandomDelay > 0 {
		text += fmt.Sprintf(", each %s later", s.Delay())
	}
	if s.NoCatchUp {
		text += ", not caught up"
	}
	return text
}

// keepText formats the policy as options.
func keepText(s *schedule.Schedule) string {
	p := s.Policy()
	var parts []string
	for _, part := range []struct {
		n    int
		what string
	}{{p.Last, "last"}, {p.Hourly, "hourly"}, {p.Daily, "daily"}, {p.Weekly, "weekly"}, {p.Monthly, "monthly"}, {p.Yearly, "yearly"}} {
		switch {
		case part.n < 0:
			parts = append(parts, "all "+part.what)
		case part.n > 0:
			parts = append(parts, strconv.Itoa(part.n)+" "+part.what)
		}
	}
	if within := p.Within.String(); within != "" {
		parts = append(parts, "all within "+within)
	}
	return strings.Join(parts, ", ")
}
