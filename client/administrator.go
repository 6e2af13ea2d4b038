package client

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// administrator connects to the leader as whoever the process environment names;
// else as user "default", if that one may administer, as in a Redis of one's own;
// else as the agent that a file names.
func (s *system) administrator(ctx context.Context) (*redis.Client, error) {
	user, _ := s.env.lookup("REDIS_USER")
	password, err := s.env.processPassword()
	if err != nil {
		return nil, err
	}
	addr := s.env.redisLeader()
	if user != "" || password != "" {
		if user != "" && password == "" {
			return nil, failf(exitUsage, "REDIS_PASSWORD is not set beside REDIS_USER in the environment")
		}
		return connectRedis(ctx, addr, credentials{user, password})
	}
	rdb, errDefault := connectRedis(ctx, addr, credentials{})
	if errDefault == nil {
		if err := rdb.ACLList(ctx).Err(); !redis.IsPermissionError(err) {
			return rdb, nil
		}
		_ = rdb.Close()
		errDefault = failf(exitForbidden, "redis at %s does not let user \"default\" administer it: set REDIS_USER and REDIS_PASSWORD to an administrator's", addr)
	}
	login, err := s.env.fileCredentials()
	switch {
	case err != nil:
		return nil, err
	case login.user == "":
		return nil, errDefault
	}
	return connectRedis(ctx, addr, login)
}

// administrationError explains an error of Redis's, with its exit code; nil stays
// nil.
func administrationError(rdb *redis.Client, what string, err error) error {
	addr, user := rdb.Options().Addr, cmp.Or(rdb.Options().Username, "default")
	switch {
	case err == nil:
		return nil
	case redis.HasErrorPrefix(err, "READONLY"):
		return failf(exitRedis, "%s: redis at %s is a read-only replica: REDIS_ADDRESS must be the leader's", what, addr)
	case redis.HasErrorPrefix(err, "NOREPLICAS"):
		return failf(exitRedis, "%s: redis at %s takes no writes while too few replicas are connected (min-replicas-to-write)", what, addr)
	case redis.HasErrorPrefix(err, "MISCONF"):
		return failf(exitRedis, "%s: redis at %s takes no writes, because it cannot save to its disk: see its log", what, addr)
	case redis.HasErrorPrefix(err, "OOM"):
		return failf(exitFull, "%s: redis at %s has no memory left (maxmemory)", what, addr)
	case unknownCommand(err):
		return failf(exitRedis, "%s: redis at %s has no users: Redis 6 or later is needed, with its command ACL", what, addr)
	case redis.IsPermissionError(err), redis.HasErrorPrefix(err, "EXECABORT"): // so ends a transaction of which a command was refused
		return failf(exitForbidden, "%s: redis does not let user %q do this: run it on the leader with the credentials of an administrator, on NethServer 8 of the cluster's agent", what, user)
	case redis.HasErrorPrefix(err, "NOAUTH"), redis.HasErrorPrefix(err, "WRONGPASS"):
		return redisError(rdb.Options(), err)
	}
	return failf(exitRedis, "%s: redis at %s: %w", what, addr, err)
}

func unknownCommand(err error) bool {
	return strings.Contains(err.Error(), "unknown command")
}

// transactionError is the error of a transaction: where a command was refused, so
// that nothing was done, it is that command's.
func transactionError(commands []redis.Cmder, err error) error {
	if !redis.HasErrorPrefix(err, "EXECABORT") {
		return err
	}
	for _, command := range commands {
		if refusal := command.Err(); refusal != nil && !redis.HasErrorPrefix(refusal, "EXECABORT") && !errors.Is(refusal, redis.Nil) {
			return refusal
		}
	}
	return err
}
