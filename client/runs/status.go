package runs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/outbox"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
)

// statusOptions are the flags of status.
type statusOptions struct {
	schedule, module string
	asJSON           bool
}

// NewStatus returns the command status.
func NewStatus(sys *host.System) *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status [flags]",
		Short: "Show whether all modules are backed up",
		Long: `Show for each module of each schedule that is turned on: when its last backup was that
succeeded, its size and what it added, when the next one is planned, when its repository
was last checked, and when a backup was last proven restorable. The verdict is on top,
and below it what else is wrong on this node: messages that could not be sent yet (see
"gatewayctl notify status"), hooks that failed, mistakes in notify.conf.

A module needs attention where it was never backed up, where its last backup, retention,
prune, check or drill did not succeed, and where a planned run is overdue by more than
an hour. Then the exit status is 1.

It goes by the runs of schedules. A backup that somebody made with module-backup alone is
on the gateway's page, and not here, unless the module's host reaches no Redis.`,
		Example:     `  gatewayctl status --schedule 1 --module myapp1`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Forbidden, exit.Redis, exit.NotFound, exit.Signal),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), sys) },
	}
	addChoice(sys, cmd, &o.schedule, &o.module)
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print JSON")
	return cmd
}

// addChoice adds the flags that select runs.
func addChoice(sys *host.System, cmd *cobra.Command, schedule, module *string) {
	cmd.Flags().StringVar(schedule, "schedule", "", "only of this schedule, by `NAME` or ID")
	names.CompleteFlag(cmd, "schedule", names.Complete(sys, names.ScheduleEntries, names.AnyNumber))
	cmd.Flags().StringVar(module, "module", "", "only of this module, by `ID`")
	names.CompleteFlag(cmd, "module", names.Complete(sys, names.ModuleEntries, names.AnyNumber))
}

// connect opens Redis as the node, or as an administrator.
func connect(ctx context.Context, sys *host.System) (*redis.Client, error) {
	if _, err := sys.Env.NodeCredentials(); err == nil {
		return sys.Redis(ctx, host.LocalAgent)
	}
	return sys.Administrator(ctx)
}

// overdueAfter is how late a run may be if its schedule has no deadline.
const overdueAfter = time.Hour

// Line is the state of a module's backups by a schedule.
type Line struct {
	Schedule string `json:"schedule"`
	Name     string `json:"schedule_name"`
	Module   string `json:"module"`
	// OK is false if it needs attention; Why is the reason.
	OK  bool   `json:"ok"`
	Why string `json:"why,omitempty"`
	// Trouble is Why in a word or two, unchanged while the reason lasts: "overdue",
	// [Never], or a kind and its outcome.
	Trouble string `json:"trouble,omitempty"`
	// Since is when that began, zero if unknown.
	Since time.Time `json:"since,omitzero"`

	Success  time.Time `json:"last_success,omitzero"`
	Snapshot string    `json:"snapshot_id,omitempty"`
	Bytes    uint64    `json:"bytes"`
	Added    uint64    `json:"bytes_added"`
	Seconds  float64   `json:"seconds"`
	Next     time.Time `json:"next_run,omitzero"`
	Checked  time.Time `json:"last_check,omitzero"`
	Proven   time.Time `json:"last_proven_restorable,omitzero"`

	Outcome history.Outcome `json:"last_outcome,omitempty"`
}

// Never is the trouble of a module without any backup.
const Never = "never backed up"

// Overview is the state of all modules. Those that need attention come first.
type Overview struct {
	OK      bool   `json:"ok"`
	Verdict string `json:"verdict"`
	// Notes lists other problems of this node: unsent messages, failed hooks.
	Notes   []string `json:"notes,omitempty"`
	Modules []Line   `json:"modules"`
}

// Survey returns the state of all modules, or of those of one schedule.
func Survey(ctx context.Context, rdb *redis.Client, scheduleID string, now time.Time) (Overview, error) {
	o := statusOptions{schedule: scheduleID}
	lines, err := o.lines(ctx, rdb, now)
	if err != nil {
		return Overview{}, err
	}
	return Judge(lines), nil
}

// Judge summarizes lines.
func Judge(lines []Line) Overview {
	all := Overview{Modules: lines}
	var bad int
	for i := range lines {
		if !lines[i].OK {
			bad++
		}
	}
	all.OK = bad == 0 && len(lines) > 0
	switch {
	case len(lines) == 0:
		all.Verdict = "nothing is backed up: no schedule that is turned on has a module"
	case bad == 0:
		all.Verdict = fmt.Sprintf("all is well: %d backed up", len(lines))
	default:
		all.Verdict = fmt.Sprintf("%d of %d need attention", bad, len(lines))
	}
	return all
}

func (o *statusOptions) run(ctx context.Context, sys *host.System) error {
	rdb, err := connect(ctx, sys)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	lines, err := o.lines(ctx, rdb, time.Now())
	if err != nil {
		return err
	}
	if len(lines) == 0 && o.module != "" {
		if _, err := names.ModuleNamed(ctx, rdb, o.module); err != nil {
			return err
		}
	}
	all := Judge(lines)
	if dir, err := history.StateDir(sys.Env, ""); err == nil {
		all.Notes = outbox.Lines(dir)
	}
	if o.asJSON {
		err = sys.PrintJSON(all)
	} else {
		err = all.print(sys)
	}
	if err == nil && !all.OK {
		return exit.Silent(exit.Failed)
	}
	return err
}

// lines returns the states of everything selected. Those that need attention come first.
func (o *statusOptions) lines(ctx context.Context, rdb *redis.Client, now time.Time) ([]Line, error) {
	chosen := ""
	var err error
	if o.schedule != "" {
		if chosen, err = names.ScheduleNamed(ctx, rdb, o.schedule); err != nil {
			return nil, err
		}
	}
	schedules, err := schedule.All(ctx, rdb)
	if err != nil {
		return nil, err
	}
	latest, err := history.Latest(ctx, rdb, chosen)
	if err != nil {
		return nil, err
	}
	lines := []Line{}
	for i := range schedules {
		s := &schedules[i]
		if !s.Enabled || chosen != "" && s.ID != chosen {
			continue
		}
		for _, m := range s.Modules {
			if o.module == "" || o.module == m {
				lines = append(lines, newLine(s, m, latest[[2]string{s.ID, m}], now))
			}
		}
	}
	slices.SortStableFunc(lines, func(a, b Line) int {
		if a.OK != b.OK {
			return map[bool]int{false: -1, true: 1}[a.OK]
		}
		return 0
	})
	return lines, nil
}

func newLine(s *schedule.Schedule, module string, last *history.Last, now time.Time) Line {
	if last == nil {
		last = &history.Last{}
	}
	good, newest := last.Done[history.Backup], last.Run[history.Backup]
	l := Line{
		Schedule: s.ID, Name: s.Title(), Module: module, Success: good.Ended, Snapshot: good.Snapshot, Bytes: good.Bytes, Added: good.Added,
		Seconds: good.Duration().Seconds(), Next: s.Next(now), Checked: last.Done[history.Check].Ended, Proven: last.Done[history.Drill].Ended,
		Outcome: newest.Outcome,
	}
	l.judge(s, last, now)
	l.OK = l.Trouble == ""
	if l.Outcome == "" || l.Trouble == string(history.Overdue) {
		l.Outcome = history.Overdue
	}
	return l
}

// judge decides whether a module needs attention, and why.
func (l *Line) judge(s *schedule.Schedule, last *history.Last, now time.Time) {
	newest := last.Run[history.Backup]
	if late := lateSince(s, newest, now); !late.IsZero() && !s.IsPaused(now) {
		l.Trouble, l.Since = string(history.Overdue), late
		l.Why = fmt.Sprintf("%s: planned for %s", history.Overdue, late.Format("2006-01-02 15:04"))
		return
	}
	if newest.ID == "" {
		l.Trouble, l.Why = Never, Never
		return
	}
	for _, kind := range history.Kinds {
		r, known := last.Run[kind]
		if known && r.Outcome != history.Done && (kind == history.Backup || r.Outcome != history.Skipped) {
			l.Trouble, l.Since = fmt.Sprintf("%s %s", kind, r.Outcome), r.Ended
			l.Why = strings.TrimSuffix(l.Trouble+": "+host.Printable(firstLine(r.Error)), ": ")
			return
		}
	}
}

// lateSince returns the planned time of an overdue run; zero if there is none.
func lateSince(s *schedule.Schedule, newest history.Run, now time.Time) time.Time {
	if newest.ID == "" {
		return time.Time{} // the schedule's age is unknown
	}
	from := newest.Started
	if !newest.Planned.IsZero() {
		from = newest.Planned
	}
	if from.IsZero() {
		from = newest.Ended
	}
	next := s.Next(from)
	if next.IsZero() || now.Sub(next) <= max(overdueAfter, s.Deadline) {
		return time.Time{}
	}
	return next
}

func firstLine(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	const longest = 120
	if r := []rune(text); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return text
}

// print prints the overview for people.
func (all *Overview) print(sys *host.System) error {
	fmt.Fprintf(sys.Stdout, "%s\n", all.Verdict)
	for _, note := range all.Notes {
		fmt.Fprintf(sys.Stdout, "note: %s\n", host.Printable(note))
	}
	if len(all.Modules) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(sys.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nMODULE\tSCHEDULE\tLAST SUCCESS\tAGE\tSIZE\tADDED\tTOOK\tNEXT RUN\tCHECKED\tPROVEN\tSTATE")
	now := time.Now()
	for _, l := range all.Modules {
		size, added, took, age := "-", "-", "-", "-"
		if !l.Success.IsZero() {
			size, added = host.FormatBytes(l.Bytes), host.FormatBytes(l.Added)
			took, age = (time.Duration(l.Seconds*10) * time.Second / 10).String(), shortAge(now.Sub(l.Success))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", host.Printable(l.Module), host.Printable(l.Name), minute(l.Success), age,
			size, added, took, minute(l.Next), minute(l.Checked), minute(l.Proven), cmp.Or(l.Why, "ok"))
	}
	return table.Flush()
}

// minute formats a time for tables.
func minute(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.Local().Format("2006-01-02 15:04")
}

// shortAge formats how long ago something was, in its largest unit.
func shortAge(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
