package status

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/calendar"
)

// Book is what a [Reader] has read from Redis. It never changes.
type Book struct {
	read      time.Time // when; zero: never
	failure   error     // why it is out of date
	zone      *time.Location
	names     map[string]string   // module labels by ID
	schedules map[string]schedule // enabled ones by ID
	logs      map[pair]*record    // runs
	recent    []Run               // the newest runs of all
	gateways  map[string]beat     // by node
	live      []Live              // running tasks
	noticed   map[string]Noticed  // acknowledged problems
}

// pair is a schedule and one of its modules.
type pair struct{ schedule, module string }

// schedule is what Redis has about a schedule beyond a view.
type schedule struct {
	name, when string
	event      *calendar.Event // nil: malformed
	zone       *time.Location
	delay      time.Duration
	paused     bool
}

// parseSchedule parses the hashes of a schedule and its plan.
func parseSchedule(fields, plan map[string]string, now time.Time) schedule {
	s := schedule{name: fields["name"], when: fields["schedule"], zone: time.Local}
	if name := plan["timezone"]; name != "" {
		if zone, err := time.LoadLocation(name); err == nil {
			s.zone = zone
		}
	}
	if event, err := calendar.Parse(s.when); err == nil {
		s.event = event
	}
	s.delay, _ = time.ParseDuration(plan["random_delay"])
	if since, err := time.Parse(time.RFC3339, plan["paused"]); err == nil && !since.After(now) {
		until, err := time.Parse(time.RFC3339, plan["paused_until"])
		s.paused = err != nil || until.After(now)
	}
	return s
}

// next returns the schedule's next time after a time; nil if unknown.
func (s *schedule) next(after time.Time) *time.Time {
	if s.event == nil {
		return nil
	}
	at := s.event.Next(after, s.zone)
	if at.IsZero() {
		return nil
	}
	return &at
}

// grace is how long after its time a backup may still run before it is overdue.
const grace = 2 * time.Hour

// overdue reports whether the backup after the last one should have ended by now.
func (s *schedule) overdue(lastBegan, now time.Time) bool {
	next := s.next(lastBegan)
	return !s.paused && next != nil && next.Add(s.delay+grace).Before(now)
}

// record holds the runs of a module by a schedule that are kept in memory: a summary of
// each day, and the last run of each kind. 200 modules at 8 destinations take a few
// megabytes.
type record struct {
	days [historyDays]day // indexed by day number, modulo
	last map[Kind]Run
	done map[Kind]Run
	from map[string]string // ID of the last entry that was read, by node
}

// historyDays is more than Days, so that a month is complete in any time zone.
const historyDays = 32

// day summarizes the backups of a day.
type day struct {
	number  int
	began   time.Time // the last one
	outcome Outcome
	bytes   uint64
	added   uint64
}

// dayNumber counts the days of a zone.
func dayNumber(at time.Time, zone *time.Location) int {
	y, m, d := at.In(zone).Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / (24 * 3600))
}

// dayText formats a day's date.
func dayText(number int) string {
	return time.Unix(int64(number)*24*3600, 0).UTC().Format(time.DateOnly)
}

// with returns a copy of the record with more runs, in the order in which they were
// recorded.
func (r *record) with(runs []Run, zone *time.Location) *record {
	next := &record{last: map[Kind]Run{}, done: map[Kind]Run{}, from: map[string]string{}}
	if r != nil {
		next.days = r.days
		maps.Copy(next.last, r.last)
		maps.Copy(next.done, r.done)
		maps.Copy(next.from, r.from)
	}
	for _, run := range runs {
		next.add(run, zone)
	}
	return next
}

// add adds a run.
func (r *record) add(run Run, zone *time.Location) {
	keepNewest(r.last, run)
	if run.Outcome == Done {
		keepNewest(r.done, run)
	}
	if run.Kind != Backup {
		return
	}
	number := dayNumber(run.Began(), zone)
	d := &r.days[number%historyDays]
	if number < d.number {
		return // too old
	}
	if number > d.number {
		*d = day{number: number}
	}
	d.added += run.Added
	if d.outcome == "" || d.outcome == Skipped || run.Outcome != Skipped && !run.Began().Before(d.began) {
		d.outcome, d.began = run.Outcome, run.Began()
	}
	if run.Bytes > 0 {
		d.bytes = run.Bytes
	}
}

func keepNewest(runs map[Kind]Run, run Run) {
	if known, ok := runs[run.Kind]; !ok || !run.Ended.Before(known.Ended) {
		runs[run.Kind] = run
	}
}

// outcomes returns the outcomes of the last days, oldest first.
func (r *record) outcomes(today int) []Outcome {
	all := make([]Outcome, Days)
	for i := range all {
		all[i] = None
		number := today - Days + 1 + i
		if r == nil {
			continue
		}
		if d := &r.days[number%historyDays]; d.number == number && d.outcome != "" {
			all[i] = d.outcome
		}
	}
	return all
}

// sizes returns the sizes of the last days' snapshots.
func (r *record) sizes(today int) []Size {
	sizes := []Size{}
	for number := today - Days + 1; number <= today && r != nil; number++ {
		if d := &r.days[number%historyDays]; d.number == number && d.bytes > 0 {
			sizes = append(sizes, Size{dayText(number), d.bytes, d.added})
		}
	}
	return sizes
}

// ordered returns runs by kind.
func ordered(runs map[Kind]Run) []Run {
	all := []Run{}
	for _, kind := range Kinds {
		if run, ok := runs[kind]; ok {
			all = append(all, run)
		}
	}
	return all
}

// keepRecent bounds the runs of all modules that are kept in memory.
const keepRecent = 500

// newest returns the newest runs, newest first, without duplicates.
func newest(runs []Run, most int) []Run {
	slices.SortStableFunc(runs, func(a, b Run) int {
		if c := b.Ended.Compare(a.Ended); c != 0 {
			return c
		}
		return strings.Compare(b.ID+b.Module, a.ID+a.Module)
	})
	seen := make(map[[4]string]bool, len(runs))
	runs = slices.DeleteFunc(runs, func(r Run) bool {
		key := [4]string{r.ID, r.Schedule, r.Module, string(r.Kind)}
		known := seen[key]
		seen[key] = true
		return known
	})
	return runs[:min(len(runs), most)]
}

// name returns a module's label, or its ID.
func (b *Book) name(module string) string {
	if name := strings.TrimSpace(b.names[module]); name != "" {
		return name
	}
	return module
}

// scheduleName returns a schedule's name, or its ID.
func (b *Book) scheduleName(id string) string {
	if name := strings.TrimSpace(b.schedules[id].name); name != "" {
		return name
	}
	return "schedule " + id
}

// beat is a gateway's heartbeat.
type beat struct {
	version               string
	started, seen, loaded time.Time
	ready                 bool
}

func parseBeat(fields map[string]string) beat {
	at := func(field string) time.Time {
		seconds, err := strconv.ParseInt(fields[field], 10, 64)
		if err != nil || seconds <= 0 {
			return time.Time{}
		}
		return time.Unix(seconds, 0)
	}
	return beat{
		version: fields["version"], started: at("started"), seen: at("seen"), loaded: at("loaded"), ready: fields["ready"] == "1",
	}
}
