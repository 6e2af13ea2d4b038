package schedule

import (
	"cmp"
	"context"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/retention"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/calendar"
)

// DefaultRetention is how many snapshots are kept by default, as on NethServer 8.
const DefaultRetention = 3

// Schedule is a backup schedule: which modules go where, and when.
type Schedule struct {
	ID, Name    string
	Destination string
	Modules     []string
	Enabled     bool
	// When is a calendar expression as in systemd's OnCalendar.
	When string
	// Retention is how many snapshots of each module are kept, unless the plan says
	// otherwise.
	Retention int
	Plan

	wrong []error // fields that could not be parsed
}

// Read reads the schedule that a word names from Redis. If there is none, the error is a
// usage error.
func Read(ctx context.Context, rdb *redis.Client, word string) (Schedule, error) {
	id, err := names.ScheduleNamed(ctx, rdb, word)
	if err != nil {
		return Schedule{}, names.WronglyNamed(err)
	}
	s, err := ReadID(ctx, rdb, id)
	if err != nil {
		return Schedule{}, err
	}
	if s.Destination == "" {
		return Schedule{}, exit.Failf(exit.Usage, "backup schedule %s has no destination", id)
	}
	return s, nil
}

// ReadID reads the schedule with an ID. If it does not exist, its destination is empty.
func ReadID(ctx context.Context, rdb redis.Cmdable, id string) (Schedule, error) {
	fields, err := rdb.HGetAll(ctx, catalog.BackupKey(id)).Result()
	if err != nil {
		return Schedule{}, host.ReadError(catalog.BackupKey(id), err)
	}
	plan, err := rdb.HGetAll(ctx, catalog.PlanKey(id)).Result()
	// A module may not read the plan, and does not need it.
	if err != nil && !redis.IsPermissionError(err) {
		return Schedule{}, host.ReadError(catalog.PlanKey(id), err)
	}
	return Parse(id, fields, plan), nil
}

// All returns all backup schedules, ordered by number.
func All(ctx context.Context, rdb *redis.Client) ([]Schedule, error) {
	ids, err := host.KeysBelow(ctx, rdb, catalog.BackupKey(""))
	if err != nil {
		return nil, err
	}
	hashes := make([][2]*redis.MapStringStringCmd, len(ids))
	_, err = rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			hashes[i] = [2]*redis.MapStringStringCmd{p.HGetAll(ctx, catalog.BackupKey(id)), p.HGetAll(ctx, catalog.PlanKey(id))}
		}
		return nil
	})
	if err != nil && !redis.IsPermissionError(err) {
		return nil, host.ReadError(catalog.BackupKey("*"), err)
	}
	var schedules []Schedule
	for i, id := range ids {
		if err := hashes[i][0].Err(); err != nil {
			return nil, host.ReadError(catalog.BackupKey(id), err)
		}
		schedules = append(schedules, Parse(id, hashes[i][0].Val(), hashes[i][1].Val()))
	}
	slices.SortFunc(schedules, func(a, b Schedule) int { return names.CompareNumbers(a.ID, b.ID) })
	return schedules, nil
}

// Parse parses the two hashes of a schedule. It leaves out what it cannot parse;
// [Schedule.Check] reports that.
func Parse(id string, fields, plan map[string]string) Schedule {
	s := Schedule{
		ID: id, Name: fields["name"], Destination: fields[catalog.FieldRepository],
		Modules: strings.Fields(fields[catalog.FieldInstances]), Enabled: fields[catalog.FieldEnabled] == "1",
		When: fields["schedule"], Retention: DefaultRetention,
	}
	if text := fields["retention"]; text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			s.wrong = append(s.wrong, wrongField("retention", text, "it is a number from 1 on"))
		} else {
			s.Retention = n
		}
	}
	var wrong []error
	s.Plan, wrong = parsePlan(plan)
	s.wrong = append(s.wrong, wrong...)
	return s
}

// Lists reports whether the schedule backs the module up.
func (s *Schedule) Lists(moduleID string) bool { return slices.Contains(s.Modules, moduleID) }

// Title returns the schedule's name for people.
func (s *Schedule) Title() string { return cmp.Or(s.Name, "schedule "+s.ID) }

// Policy returns which of each module's snapshots to keep.
func (s *Schedule) Policy() retention.Policy {
	if s.Keep.Empty() {
		return retention.Policy{Last: s.Retention}
	}
	return s.Keep
}

// Location returns the time zone of the schedule's times.
func (s *Schedule) Location() *time.Location {
	if s.TimeZone == "" {
		return time.Local
	}
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return time.Local // Check reports the unknown name
	}
	return zone
}

// Delay returns the constant delay of this schedule after its calendar, between zero and
// RandomDelay.
func (s *Schedule) Delay() time.Duration {
	if s.RandomDelay <= 0 {
		return 0
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(s.ID + "\x00" + s.Destination))
	return (time.Duration(hash.Sum64()>>1) % s.RandomDelay).Truncate(time.Second)
}

// Next returns the schedule's next time after a time; zero is never. It ignores pauses and
// quiet hours.
func (s *Schedule) Next(after time.Time) time.Time {
	return s.nextOf(s.When, after, s.Delay())
}

// nextOf returns a calendar's next time after a time, plus a delay.
func (s *Schedule) nextOf(text string, after time.Time, delay time.Duration) time.Time {
	event, err := calendar.Parse(text)
	if err != nil {
		return time.Time{}
	}
	next := event.Next(after.Add(-delay), s.Location())
	if next.IsZero() {
		return next
	}
	return next.Add(delay)
}

// NextCheck returns when a check is next due after a time; zero is never.
func (s *Schedule) NextCheck(after time.Time) time.Time {
	if s.Plan.Check == Never {
		return time.Time{}
	}
	return s.nextOf(s.Plan.Check, after, 0)
}

// Due reports whether a task with its own calendar is due, given when it was last done;
// zero is never.
func (s *Schedule) Due(text string, last, now time.Time) bool {
	if text == "" || text == Never {
		return false
	}
	if last.IsZero() {
		return true
	}
	next := s.nextOf(text, last, 0)
	return !next.IsZero() && !next.After(now)
}
