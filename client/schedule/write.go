package schedule

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// Publish announces that schedules changed, in a transaction.
func Publish(ctx context.Context, p redis.Pipeliner, ids ...string) {
	text, _ := json.Marshal(map[string][]string{"backup_ids": ids}) // of texts it cannot fail
	p.Publish(ctx, catalog.ChannelScheduleChanged, string(text))
}

// Instances are the modules of a schedule.
func Instances(ctx context.Context, tx *redis.Tx, id string) ([]string, error) {
	n, err := tx.Exists(ctx, catalog.BackupKey(id)).Result()
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, exit.Failf(exit.NotFound, "schedule %s does not exist: see gatewayctl schedule list", id)
	}
	text, err := tx.HGet(ctx, catalog.BackupKey(id), "instances").Result()
	return strings.Fields(text), host.IgnoreNil(err)
}

// Join returns the modules of a schedule with one more; nothing without a
// schedule.
func Join(ctx context.Context, tx *redis.Tx, id, module string) (string, error) {
	if id == "" {
		return "", nil
	}
	modules, err := Instances(ctx, tx, id)
	if !slices.Contains(modules, module) {
		modules = append(modules, module)
	}
	return strings.Join(modules, " "), err
}

// Leave returns the modules of a schedule without one.
func Leave(ctx context.Context, tx *redis.Tx, id, module string) (string, error) {
	modules, err := Instances(ctx, tx, id)
	return strings.Join(slices.DeleteFunc(modules, func(m string) bool { return m == module }), " "), err
}
