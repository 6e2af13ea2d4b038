package run

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/moduleapi"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// OpenRepository returns the repository of a module on a destination, with the agent's
// credentials and the repository's password: the own password of the module with that UUID,
// or else the destination's.
func OpenRepository(ctx context.Context, s *host.System, rdb *redis.Client, destination, app, uuid string) (restic.Repository, error) {
	if err := checkPath(destination, app, uuid); err != nil {
		return restic.Repository{}, err
	}
	lookUp := passwordForNode
	if strings.HasPrefix(rdb.Options().Username, "module/") {
		lookUp = passwordForModule
	}
	key, err := lookUp(ctx, s, rdb, repositoryPath{destination, app, uuid})
	if err != nil {
		return restic.Repository{}, err
	}
	return RepositoryAt(s, destination, app, uuid, key)
}

// repositoryPath returns the path of a repository.
type repositoryPath struct{ destination, app, uuid string }

// passwordForNode looks up a password as a node.
func passwordForNode(ctx context.Context, _ *host.System, rdb *redis.Client, at repositoryPath) (string, error) {
	own, err := rdb.HGet(ctx, catalog.ModulePassword, at.uuid).Result()
	switch {
	case err == nil:
		return own, nil
	case !errors.Is(err, redis.Nil) && !redis.IsPermissionError(err):
		return "", host.ReadError(catalog.ModulePassword, err)
	}
	return sharedPassword(ctx, rdb, at.destination)
}

// passwordForModule looks up a password as a module. Only the gateway hands out the
// module's own password, and that of a module it restores from. On NethServer 8 there are
// no such passwords.
func passwordForModule(ctx context.Context, s *host.System, rdb *redis.Client, at repositoryPath) (string, error) {
	if uuid, err := s.Env.ModuleUUID(); err == nil && uuid != at.uuid && !s.Env.OnNS8() {
		password, err := moduleapi.Password(ctx, s.Env, at.destination, at.app, at.uuid)
		if !moduleapi.IsUnknown(err) {
			return password.Password, err
		}
	}
	shared, err := sharedPassword(ctx, rdb, at.destination)
	if coded, ok := errors.AsType[*exit.Error](err); ok && coded.Code == exit.Forbidden {
		password, err := moduleapi.Password(ctx, s.Env, at.destination, at.app, at.uuid)
		return password.Password, err
	}
	return shared, err
}

// sharedPassword returns the password of a destination.
func sharedPassword(ctx context.Context, rdb *redis.Client, destination string) (string, error) {
	key, err := rdb.HGet(ctx, catalog.ResticPassword, destination).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return "", exit.Failf(exit.NotFound, "backup destination %s does not exist, or has no password", destination)
	case err != nil:
		return "", host.ReadError(catalog.ResticPassword, err)
	}
	return key, nil
}

func checkPath(segments ...string) error {
	for _, segment := range segments {
		if !host.PathSegment.MatchString(segment) {
			return exit.Failf(exit.Usage, "%q cannot be a part of a repository's path", segment)
		}
	}
	return nil
}

// RepositoryAt is OpenRepository for a known password.
func RepositoryAt(s *host.System, destination, app, uuid, key string) (restic.Repository, error) {
	if err := checkPath(destination, app, uuid); err != nil {
		return restic.Repository{}, err
	}
	login, err := s.Env.GatewayCredentials()
	if err != nil {
		return restic.Repository{}, err
	}
	return restic.Repository{
		URL:  s.Env.GatewayURL() + "/" + destination + "/" + app + "/" + uuid,
		User: login.User, Password: login.Password, Key: key,
	}, nil
}
