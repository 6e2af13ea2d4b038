package client

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// publishSchedules announces that schedules changed, in a transaction.
func publishSchedules(ctx context.Context, p redis.Pipeliner, ids ...string) {
	text, _ := json.Marshal(map[string][]string{"backup_ids": ids}) // of texts it cannot fail
	p.Publish(ctx, catalog.ChannelScheduleChanged, string(text))
}

// instances are the modules of a schedule.
func instances(ctx context.Context, tx *redis.Tx, id string) ([]string, error) {
	n, err := tx.Exists(ctx, catalog.BackupKey(id)).Result()
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, failf(exitNotFound, "schedule %s does not exist: see gatewayctl schedule list", id)
	}
	text, err := tx.HGet(ctx, catalog.BackupKey(id), "instances").Result()
	return strings.Fields(text), ignoreNil(err)
}

// joinSchedule returns the modules of a schedule with one more; nothing without a
// schedule.
func joinSchedule(ctx context.Context, tx *redis.Tx, id, module string) (string, error) {
	if id == "" {
		return "", nil
	}
	modules, err := instances(ctx, tx, id)
	if !slices.Contains(modules, module) {
		modules = append(modules, module)
	}
	return strings.Join(modules, " "), err
}

// leaveSchedule returns the modules of a schedule without one.
func leaveSchedule(ctx context.Context, tx *redis.Tx, id, module string) (string, error) {
	modules, err := instances(ctx, tx, id)
	return strings.Join(slices.DeleteFunc(modules, func(m string) bool { return m == module }), " "), err
}
