package run

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// OpenRepository returns the repository of an application's instance on a
// destination, with the credentials of the agent and the destination's password.
func OpenRepository(ctx context.Context, s *host.System, rdb *redis.Client, destination, app, uuid string) (restic.Repository, error) {
	if err := checkPath(destination, app, uuid); err != nil {
		return restic.Repository{}, err
	}
	key, err := rdb.HGet(ctx, catalog.ResticPassword, destination).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return restic.Repository{}, exit.Failf(exit.NotFound, "backup destination %s does not exist, or has no password", destination)
	case err != nil:
		return restic.Repository{}, host.ReadError(catalog.ResticPassword, err)
	}
	return RepositoryAt(s, destination, app, uuid, key)
}

func checkPath(segments ...string) error {
	for _, segment := range segments {
		if !host.PathSegment.MatchString(segment) {
			return exit.Failf(exit.Usage, "%q cannot be a part of a repository's path", segment)
		}
	}
	return nil
}

// RepositoryAt is OpenRepository where the password is known.
func RepositoryAt(s *host.System, destination, app, uuid, key string) (restic.Repository, error) {
	if err := checkPath(destination, app, uuid); err != nil {
		return restic.Repository{}, err
	}
	login, err := s.Env.Credentials()
	if err != nil {
		return restic.Repository{}, err
	}
	return restic.Repository{
		URL:  s.Env.GatewayURL() + "/" + destination + "/" + app + "/" + uuid,
		User: login.User, Password: login.Password, Key: key,
	}, nil
}
