package status

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/calendar"
)

// Book is what a [Reader] has read of Redis. It never changes.
type Book struct {
	read      time.Time // when; zero: never
	failure   error     // why it is older than it should be
	zone      *time.Location
	names     map[string]string   // of modules, by ID
	schedules map[string]schedule // that are turned on, by ID
	logs      map[pair]*record    // of runs
	recent    []Run               // the newest of all
	gateways  map[string]beat     // by node
	live      []Live              // what is being run
	noticed   map[string]Noticed  // what somebody has acknowledged
}

// pair is a module of a schedule.
type pair struct{ schedule, module string }

// schedule is what Redis says of a schedule beyond what a view has.
type schedule struct {
	name, when string
	event      *calendar.Event // nil: it cannot be read
	zone       *time.Location
	delay      time.Duration
	paused     bool
}

// parseSchedule reads the hashes of a schedule and of its plan.
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

// next returns when the schedule runs after a time; nil where that is not known.
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

// grace is how long after its time a backup may still be under way, before it is overdue.
const grace = 2 * time.Hour

// overdue reports whether a backup should have ended that came after the last one.
func (s *schedule) overdue(lastBegan, now time.Time) bool {
	next := s.next(lastBegan)
	return !s.paused && next != nil && next.Add(s.delay+grace).Before(now)
}

// record is what is kept in memory of the runs of a module by a schedule: the days, and
// the last of each kind. So 200 modules at 8 destinations take a few megabytes.
type record struct {
	days [historyDays]day // by the number of the day, modulo
	last map[Kind]Run
	done map[Kind]Run
	from map[string]string // where to read on: the ID of the last entry, by node
}

// historyDays is more than Days, so that a month can be looked back at whatever the zone.
const historyDays = 32

// day is what the backups of a day came to.
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

// dayText is the date of a day.
func dayText(number int) string {
	return time.Unix(int64(number)*24*3600, 0).UTC().Format(time.DateOnly)
}

// with returns the record with more runs, in the order in which they were written.
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

// add takes a run in.
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
		return // it is long ago
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

// outcomes are the last days up to one, the oldest first.
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

// sizes are what the snapshots of the last days held.
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

// keepRecent is how many runs of all modules are kept in memory.
const keepRecent = 500

// newest returns the newest of runs, the newest first, each once.
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

// name is a module's label, or its ID.
func (b *Book) name(module string) string {
	if name := strings.TrimSpace(b.names[module]); name != "" {
		return name
	}
	return module
}

// scheduleName is a schedule's name, or its ID.
func (b *Book) scheduleName(id string) string {
	if name := strings.TrimSpace(b.schedules[id].name); name != "" {
		return name
	}
	return "schedule " + id
}

// beat is what a gateway says of itself.
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
