package client

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// openRepository returns the repository of an application's instance on a
// destination, with the credentials of the agent and the destination's password.
func openRepository(ctx context.Context, s *system, rdb *redis.Client, destination, app, uuid string) (restic.Repository, error) {
	for _, segment := range []string{destination, app, uuid} {
		if !pathSegment.MatchString(segment) {
			return restic.Repository{}, failf(exitUsage, "%q cannot be a part of a repository's path", segment)
		}
	}
	key, err := rdb.HGet(ctx, catalog.ResticPassword, destination).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return restic.Repository{}, failf(exitNotFound, "backup destination %s does not exist, or has no password", destination)
	case err != nil:
		return restic.Repository{}, readError(catalog.ResticPassword, err)
	}
	login, err := s.env.credentials()
	if err != nil {
		return restic.Repository{}, err
	}
	return restic.Repository{
		URL:  s.env.gatewayURL() + "/" + destination + "/" + app + "/" + uuid,
		User: login.user, Password: login.password, Key: key,
	}, nil
}
