package facts

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/keys"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// overRedis asks Redis.
type overRedis struct {
	sys  *host.System
	wait *run.Waiting
	rdb  *redis.Client
}

func (s *overRedis) Schedule(ctx context.Context, word string) (schedule.Schedule, error) {
	return schedule.Read(ctx, s.rdb, word)
}

func (s *overRedis) Schedules(ctx context.Context) ([]schedule.Schedule, error) {
	return schedule.All(ctx, s.rdb)
}

func (s *overRedis) Destinations(ctx context.Context) ([]adminapi.ModuleDestination, error) {
	ids, err := host.KeysBelow(ctx, s.rdb, catalog.DestinationKey(""))
	if err != nil {
		return nil, err
	}
	destinations := make([]adminapi.ModuleDestination, len(ids))
	for i, id := range ids {
		fields, err := s.rdb.HGetAll(ctx, catalog.DestinationKey(id)).Result()
		if err != nil {
			return nil, host.ReadError(catalog.DestinationKey(id), err)
		}
		destinations[i] = adminapi.ModuleDestination{ID: id, Name: fields[catalog.FieldName], Provider: fields[catalog.FieldProvider]}
	}
	return destinations, nil
}

// Repository may have to ask the gateway for the password.
func (s *overRedis) Repository(ctx context.Context, destination, app, uuid string) (repository restic.Repository, err error) {
	err = s.wait.Retry(ctx, s.sys, func() (err error) {
		repository, err = run.OpenRepository(ctx, s.sys, s.rdb, destination, app, uuid)
		return err
	})
	return repository, err
}

func (s *overRedis) Dumps(ctx context.Context, m host.Module) ([]keys.Dumped, error) {
	return keys.DumpState(ctx, s.rdb, m)
}
