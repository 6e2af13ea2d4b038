package schedule

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/retention"
	"github.com/rclone-gateway/rclone-gateway/internal/calendar"
)

// Never is the calendar of what is not done automatically.
const Never = "never"

// Defaults of a plan.
const (
	DefaultPrune     = "weekly"
	DefaultCheck     = "weekly"
	DefaultMaxUnused = "5%"
	// DefaultReadDays is the number of days in which checks read all data of a repository.
	DefaultReadDays   = 30
	DefaultPruneLimit = 6 * time.Hour
	// DefaultDrillModules is how many modules of a node are drilled each time.
	DefaultDrillModules = 1
)

// Plan is our addition to a schedule of NethServer 8. With the default plan, a schedule
// acts like NethServer 8's.
type Plan struct {
	// Keep says which of each module's snapshots to keep, instead of Retention.
	Keep retention.Policy
	// All is true if the schedule takes every new module, except those in Except. Node
	// limits that to the modules of one node.
	All    bool
	Node   string
	Except []string
	// Parallel is how many modules of a node are backed up concurrently; 0 is one.
	Parallel int
	// Deadline is how long after its start a run may start new tasks; running ones
	// continue. 0 is no deadline.
	Deadline time.Duration
	// Quiet are the hours in which no task starts.
	Quiet Hours
	// Prune, Check and Drill say when these tasks are due: a calendar expression, or Never.
	// They run with the next run of the schedule.
	Prune, Check, Drill string
	// DrillModules is how many modules of a node are drilled each time, the least recently
	// drilled first; 0 is all.
	DrillModules int
	// MaxUnused is the value of restic's --max-unused for prunes. PruneLimit bounds the
	// time of a prune.
	MaxUnused  string
	PruneLimit time.Duration
	// ReadDays is the number of days in which checks read all data; 0 is never.
	ReadDays int
	// Paused is when the schedule was paused, zero if it is not. Until is when the pause
	// ends by itself; zero is never.
	Paused, Until time.Time
	// TimeZone is the time zone of When, Quiet and the other calendars, by name; "" is the
	// node's.
	TimeZone string
	// RandomDelay bounds how much later than When the schedule runs.
	RandomDelay time.Duration
	// NoCatchUp skips a run whose time passed while nothing could run it. By default it
	// runs as soon as possible.
	NoCatchUp bool
}

// Takes reports whether a module that is added to a node joins the schedule automatically.
func (p *Plan) Takes(module, node string) bool {
	return p.All && (p.Node == "" || p.Node == node) && !slices.Contains(p.Except, module)
}

// IsPaused reports whether the schedule is paused at a time.
func (p *Plan) IsPaused(now time.Time) bool {
	return !p.Paused.IsZero() && (p.Until.IsZero() || now.Before(p.Until))
}

// planField says how a field of the hash is read and written.
type planField struct {
	read  func(p *Plan, text string) error
	write func(p *Plan) string // "" is the default, which is not stored
}

// planFields are the fields of the hash catalog.PlanKey.
var planFields = map[string]planField{
	"keep_last":    keepField(func(p *Plan) *int { return &p.Keep.Last }),
	"keep_hourly":  keepField(func(p *Plan) *int { return &p.Keep.Hourly }),
	"keep_daily":   keepField(func(p *Plan) *int { return &p.Keep.Daily }),
	"keep_weekly":  keepField(func(p *Plan) *int { return &p.Keep.Weekly }),
	"keep_monthly": keepField(func(p *Plan) *int { return &p.Keep.Monthly }),
	"keep_yearly":  keepField(func(p *Plan) *int { return &p.Keep.Yearly }),
	"keep_within": {
		func(p *Plan, text string) (err error) { p.Keep.Within, err = retention.ParseSpan(text); return err },
		func(p *Plan) string { return p.Keep.Within.String() },
	},
	"all":           boolField(func(p *Plan) *bool { return &p.All }),
	"node":          {func(p *Plan, text string) error { p.Node = text; return nil }, func(p *Plan) string { return p.Node }},
	"except":        {func(p *Plan, text string) error { p.Except = strings.Fields(text); return nil }, func(p *Plan) string { return strings.Join(p.Except, " ") }},
	"parallel":      numberField(func(p *Plan) *int { return &p.Parallel }, 0),
	"deadline":      durationField(func(p *Plan) *time.Duration { return &p.Deadline }, 0),
	"quiet":         {func(p *Plan, text string) (err error) { p.Quiet, err = ParseHours(text); return err }, func(p *Plan) string { return p.Quiet.String() }},
	"prune":         calendarField(func(p *Plan) *string { return &p.Prune }, DefaultPrune),
	"check":         calendarField(func(p *Plan) *string { return &p.Check }, DefaultCheck),
	"drill":         calendarField(func(p *Plan) *string { return &p.Drill }, Never),
	"drill_modules": numberField(func(p *Plan) *int { return &p.DrillModules }, DefaultDrillModules),
	"read_days":     numberField(func(p *Plan) *int { return &p.ReadDays }, DefaultReadDays),
	"max_unused": {
		func(p *Plan, text string) error { p.MaxUnused = text; return checkMaxUnused(text) },
		func(p *Plan) string { return unless(p.MaxUnused, DefaultMaxUnused) },
	},
	"prune_limit":  durationField(func(p *Plan) *time.Duration { return &p.PruneLimit }, DefaultPruneLimit),
	"paused":       timeField(func(p *Plan) *time.Time { return &p.Paused }),
	"paused_until": timeField(func(p *Plan) *time.Time { return &p.Until }),
	"timezone":     {readTimeZone, func(p *Plan) string { return p.TimeZone }},
	"random_delay": durationField(func(p *Plan) *time.Duration { return &p.RandomDelay }, 0),
	"no_catch_up":  boolField(func(p *Plan) *bool { return &p.NoCatchUp }),
}

// DefaultPlan returns the plan of a schedule with an empty hash.
func DefaultPlan() Plan {
	return Plan{
		Prune: DefaultPrune, Check: DefaultCheck, Drill: Never,
		MaxUnused: DefaultMaxUnused, PruneLimit: DefaultPruneLimit, ReadDays: DefaultReadDays,
		DrillModules: DefaultDrillModules,
	}
}

func parsePlan(fields map[string]string) (Plan, []error) {
	p := DefaultPlan()
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		text := fields[name]
		field, known := planFields[name]
		if !known {
			wrong = append(wrong, wrongField(name, text, "this version does not know that"))
			continue
		}
		if err := field.read(&p, text); err != nil {
			wrong = append(wrong, wrongField(name, text, err.Error()))
		}
	}
	return p, wrong
}

// Fields returns the fields of the plan's hash, without defaults.
func (p *Plan) Fields() map[string]string {
	fields := map[string]string{}
	for name, field := range planFields {
		if text := field.write(p); text != "" {
			fields[name] = text
		}
	}
	return fields
}

// Check reports everything that is wrong with a schedule itself. Whether its destination
// and modules exist is up to the caller.
func (s *Schedule) Check(now time.Time) error {
	errs := slices.Clone(s.wrong)
	if s.Retention < 1 {
		errs = append(errs, errors.New("at least 1 snapshot must be kept"))
	}
	if err := s.Keep.Check(); err != nil {
		errs = append(errs, err)
	}
	if host.Printable(s.Name) != s.Name {
		errs = append(errs, fmt.Errorf("the name %q holds control characters", s.Name))
	}
	for name, text := range map[string]string{"time": s.When, "time to prune": s.Prune, "time to check": s.Plan.Check, "time of drills": s.Drill} {
		if text == Never && name != "time" {
			continue
		}
		event, err := calendar.Parse(text)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("the %s %q is not in the form of systemd's OnCalendar, such as daily or \"Mon..Fri 02:30\": %w", name, host.Printable(text), err))
		case event.Next(now, s.Location()).IsZero():
			errs = append(errs, fmt.Errorf("the %s %q never comes", name, text))
		}
	}
	for name, n := range map[string]int{"parallel": s.Parallel, "read_days": s.ReadDays, "drill_modules": s.DrillModules} {
		if n < 0 {
			errs = append(errs, wrongField(name, strconv.Itoa(n), "it is not negative"))
		}
	}
	if err := checkMaxUnused(s.MaxUnused); err != nil {
		errs = append(errs, wrongField("max_unused", s.MaxUnused, err.Error()))
	}
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	if err := errors.Join(errs...); err != nil {
		return exit.Failf(exit.Usage, "%s: %w", s.Title(), err)
	}
	return nil
}

func wrongField(name, text, why string) error {
	return fmt.Errorf("%s %q: %s", name, host.Printable(text), why)
}

var maxUnusedPattern = regexp.MustCompile(`^(?:unlimited|\d{1,2}(?:\.\d+)?%|\d{1,15}[kKmMgGtT]?)$`)

func checkMaxUnused(text string) error {
	if !maxUnusedPattern.MatchString(text) {
		return errors.New("it is a size, a percentage or unlimited, such as 5% or 5G")
	}
	return nil
}

func readTimeZone(p *Plan, text string) error {
	p.TimeZone = text
	if _, err := time.LoadLocation(text); err != nil {
		return errors.New("it is no time zone that is known here: give one such as UTC or Europe/Rome")
	}
	return nil
}
