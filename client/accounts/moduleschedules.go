package accounts

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// takers returns the schedules that a new module on that node joins by itself.
func (a *accounts) takers(ctx context.Context, module, node string) ([]string, error) {
	all, err := schedule.All(ctx, a.Redis)
	if err != nil {
		return nil, err
	}
	var ids []string
	for i := range all {
		if all[i].Takes(module, node) {
			ids = append(ids, all[i].ID)
		}
	}
	return ids, nil
}

// joinSchedules adds a module to schedules. It returns the commands for a transaction that
// watches these schedules.
func joinSchedules(ctx context.Context, tx *redis.Tx, module string, ids []string) (func(redis.Pipeliner), error) {
	instances := make([]string, len(ids))
	for i, id := range ids {
		var err error
		if instances[i], err = schedule.Join(ctx, tx, id, module); err != nil {
			return nil, err
		}
	}
	return func(p redis.Pipeliner) {
		for i, id := range ids {
			p.HSet(ctx, catalog.BackupKey(id), catalog.FieldInstances, instances[i])
		}
		if len(ids) > 0 {
			schedule.Publish(ctx, p, ids...)
		}
	}, nil
}

// schedulesThatList returns the IDs of the schedules that list a module.
func (a *accounts) schedulesThatList(ctx context.Context, id string) ([]string, error) {
	schedules, err := schedule.All(ctx, a.Redis)
	if err != nil {
		return nil, err
	}
	var listing []string
	for _, s := range schedules {
		if slices.Contains(s.Modules, id) {
			listing = append(listing, s.ID)
		}
	}
	return listing, nil
}
