package client

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// schedule is a backup schedule: which modules go where.
type schedule struct {
	id, name    string
	destination string
	modules     []string
}

// readSchedule reads the schedule that a word means from Redis. Where there is none,
// it is the command line that is wrong.
func readSchedule(ctx context.Context, rdb *redis.Client, word string) (schedule, error) {
	id, err := scheduleNamed(ctx, rdb, word)
	if err != nil {
		return schedule{}, wronglyNamed(err)
	}
	fields, err := rdb.HGetAll(ctx, catalog.BackupKey(id)).Result()
	if err != nil {
		return schedule{}, readError(catalog.BackupKey(id), err)
	}
	s := parseSchedule(id, fields)
	if s.destination == "" {
		return schedule{}, failf(exitUsage, "backup schedule %s has no destination", id)
	}
	return s, nil
}

// lists reports whether the schedule backs the module up.
func (s schedule) lists(moduleID string) bool { return slices.Contains(s.modules, moduleID) }

func parseSchedule(id string, fields map[string]string) schedule {
	return schedule{id: id, name: fields["name"], destination: fields["repository"], modules: strings.Fields(fields["instances"])}
}

// allSchedules returns all backup schedules in the order of their numbers.
func allSchedules(ctx context.Context, rdb *redis.Client) ([]schedule, error) {
	keys, err := keysBelow(ctx, rdb, catalog.BackupKey(""))
	if err != nil {
		return nil, err
	}
	var schedules []schedule
	for _, id := range keys {
		fields, err := rdb.HGetAll(ctx, catalog.BackupKey(id)).Result()
		if err != nil {
			return nil, readError(catalog.BackupKey(id), err)
		}
		schedules = append(schedules, parseSchedule(id, fields))
	}
	slices.SortFunc(schedules, func(a, b schedule) int { return compareNumbers(a.id, b.id) })
	return schedules, nil
}
