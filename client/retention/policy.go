package retention

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Snapshot is a snapshot as far as retention needs it.
type Snapshot struct {
	ID       string
	Time     time.Time // claimed by whoever saved it
	Hostname string
	Paths    []string
	Tags     []string
	// Size is the claimed number of bytes it holds; negative if unknown, as with restic
	// before 0.17.
	Size int64
	// Files and Added are the claimed numbers of files and of bytes added to the
	// repository; 0 if unknown.
	Files, Added int64
	// Received is when the gateway received it; zero if unknown.
	Received time.Time
	// ByNode is true if a node saved it: after copy, tag or rewrite, the claimed time is
	// that of an old backup.
	ByNode bool
	// Acknowledged is true if somebody has reviewed it.
	Acknowledged bool
}

// When is the time that counts for the policy, in the snapshot's time zone.
func (s *Snapshot) When() time.Time {
	if s.ByNode || s.Received.IsZero() {
		return s.Time
	}
	return s.Received.In(s.Time.Location())
}

// All as a number in a [Policy] keeps every snapshot.
const All = -1

// Policy says what to keep. Zero values keep nothing.
type Policy struct {
	Last, Hourly, Daily, Weekly, Monthly, Yearly int
	Within                                       Span
}

// Empty reports whether the policy keeps nothing.
func (p Policy) Empty() bool { return p == Policy{} }

// Check returns an error if a count is neither a number nor All.
func (p Policy) Check() error {
	for _, n := range []int{p.Last, p.Hourly, p.Daily, p.Weekly, p.Monthly, p.Yearly} {
		if n < All {
			return fmt.Errorf("of the counts to keep %d is neither a number nor -1, which keeps all", n)
		}
	}
	return nil
}

// Span is a calendar duration.
type Span struct{ Years, Months, Days, Hours int }

var spanPattern = regexp.MustCompile(`^(?:(\d{1,4})y)?(?:(\d{1,5})m)?(?:(\d{1,6})d)?(?:(\d{1,7})h)?$`)

// ParseSpan parses a duration in restic's form, such as 1y5m7d2h.
func ParseSpan(text string) (Span, error) {
	found := spanPattern.FindStringSubmatch(text)
	if found == nil || text == "" {
		return Span{}, errors.New("give years, months, days and hours, such as 1y5m7d2h")
	}
	number := func(i int) int { n, _ := strconv.Atoi(found[i]); return n }
	return Span{number(1), number(2), number(3), number(4)}, nil
}

// String formats the span for ParseSpan; "" for zero.
func (s Span) String() string {
	var text strings.Builder
	for _, part := range []struct {
		n    int
		unit string
	}{{s.Years, "y"}, {s.Months, "m"}, {s.Days, "d"}, {s.Hours, "h"}} {
		if part.n > 0 {
			text.WriteString(strconv.Itoa(part.n) + part.unit)
		}
	}
	return text.String()
}

// before returns the time one span before t.
func (s Span) before(t time.Time) time.Time {
	return t.AddDate(-s.Years, -s.Months, -s.Days).Add(-time.Duration(s.Hours) * time.Hour)
}

// rule keeps one snapshot of each period, up to a number.
type rule struct {
	left   int
	period func(t time.Time, nr int) int
	last   int
}

func (p Policy) rules() []rule {
	return []rule{
		{p.Last, func(_ time.Time, nr int) int { return nr }, -1},
		{p.Hourly, func(t time.Time, _ int) int { return dayOf(t)*100 + t.Hour() }, -1},
		{p.Daily, func(t time.Time, _ int) int { return dayOf(t) }, -1},
		{p.Weekly, func(t time.Time, _ int) int { year, week := t.ISOWeek(); return year*100 + week }, -1},
		{p.Monthly, func(t time.Time, _ int) int { return t.Year()*100 + int(t.Month()) }, -1},
		{p.Yearly, func(t time.Time, _ int) int { return t.Year() }, -1},
	}
}

func dayOf(t time.Time) int { return t.Year()*10000 + int(t.Month())*100 + t.Day() }

// Apply splits the snapshots of one group into kept and removed ones, newest first.
// Snapshots later than now do not count as the latest.
func (p Policy) Apply(snapshots []*Snapshot, now time.Time) (keep, remove []*Snapshot) {
	sorted := slices.Clone(snapshots)
	slices.SortStableFunc(sorted, func(a, b *Snapshot) int { return b.When().Compare(a.When()) })
	var latest time.Time
	for _, s := range sorted {
		if when := s.When(); when.After(latest) && when.Before(now) {
			latest = when
		}
	}
	rules := p.rules()
	for nr, s := range sorted {
		kept := p.Within != Span{} && s.When().After(p.Within.before(latest))
		for i := range rules {
			r := &rules[i]
			if r.left == 0 {
				continue
			}
			// A rule with room left keeps the oldest snapshot, so that the history is as
			// long as possible.
			period := r.period(s.When(), nr)
			if period == r.last && nr < len(sorted)-1 {
				continue
			}
			kept = true
			r.last = period
			if r.left > 0 {
				r.left--
			}
		}
		if kept {
			keep = append(keep, s)
		} else {
			remove = append(remove, s)
		}
	}
	return keep, remove
}

// GroupBy selects what snapshots must have in common to be counted together.
type GroupBy struct{ Host, Paths, Tags bool }

// ParseGroupBy parses a list of host, paths and tags, separated by commas; "" is one group.
func ParseGroupBy(fields []string) (GroupBy, error) {
	var g GroupBy
	for _, field := range fields {
		switch field {
		case "host":
			g.Host = true
		case "paths", "path":
			g.Paths = true
		case "tags", "tag":
			g.Tags = true
		case "":
		default:
			return g, fmt.Errorf("%q is neither host, paths nor tags", field)
		}
	}
	return g, nil
}

// Groups splits snapshots into groups, in the order of their first snapshots.
func (g GroupBy) Groups(snapshots []*Snapshot) [][]*Snapshot {
	index := map[string]int{}
	var groups [][]*Snapshot
	for _, s := range snapshots {
		key := ""
		if g.Host {
			key = strconv.Quote(s.Hostname)
		}
		for _, list := range []struct {
			by     bool
			values []string
		}{{g.Paths, s.Paths}, {g.Tags, s.Tags}} {
			if list.by {
				key = cmp.Or(key, "-") + fmt.Sprintf("%q", slices.Sorted(slices.Values(list.values)))
			}
		}
		at, known := index[key]
		if !known {
			at = len(groups)
			index[key] = at
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], s)
	}
	return groups
}
