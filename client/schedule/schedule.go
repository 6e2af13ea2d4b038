package schedule

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// Schedule is a backup schedule: which modules go where.
type Schedule struct {
	ID, Name    string
	Destination string
	Modules     []string
}

// Read reads the schedule that a word means from Redis. Where there is none,
// it is the command line that is wrong.
func Read(ctx context.Context, rdb *redis.Client, word string) (Schedule, error) {
	id, err := names.ScheduleNamed(ctx, rdb, word)
	if err != nil {
		return Schedule{}, names.WronglyNamed(err)
	}
	fields, err := rdb.HGetAll(ctx, catalog.BackupKey(id)).Result()
	if err != nil {
		return Schedule{}, host.ReadError(catalog.BackupKey(id), err)
	}
	s := parseSchedule(id, fields)
	if s.Destination == "" {
		return Schedule{}, exit.Failf(exit.Usage, "backup schedule %s has no destination", id)
	}
	return s, nil
}

// Lists reports whether the schedule backs the module up.
func (s Schedule) Lists(moduleID string) bool { return slices.Contains(s.Modules, moduleID) }

func parseSchedule(id string, fields map[string]string) Schedule {
	return Schedule{ID: id, Name: fields["name"], Destination: fields["repository"], Modules: strings.Fields(fields["instances"])}
}

// All returns all backup schedules in the order of their numbers.
func All(ctx context.Context, rdb *redis.Client) ([]Schedule, error) {
	keys, err := host.KeysBelow(ctx, rdb, catalog.BackupKey(""))
	if err != nil {
		return nil, err
	}
	var schedules []Schedule
	for _, id := range keys {
		fields, err := rdb.HGetAll(ctx, catalog.BackupKey(id)).Result()
		if err != nil {
			return nil, host.ReadError(catalog.BackupKey(id), err)
		}
		schedules = append(schedules, parseSchedule(id, fields))
	}
	slices.SortFunc(schedules, func(a, b Schedule) int { return names.CompareNumbers(a.ID, b.ID) })
	return schedules, nil
}
