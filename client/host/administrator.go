package host

import (
	"cmp"
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
)

// Administrator connects to the leader as whoever the process environment names;
// else as user "default", if that one may administer, as in a Redis of one's own;
// else as the agent that a file names.
func (s *System) Administrator(ctx context.Context) (*redis.Client, error) {
	login, err := s.Env.processLogin()
	if err != nil {
		return nil, err
	}
	server, err := s.Env.redisLeader()
	if err != nil {
		return nil, err
	}
	if login != (Credentials{}) {
		if login.Password == "" {
			_, err := checkCredentials(login.User, "", "the environment")
			return nil, err
		}
		return ConnectRedis(ctx, server, login)
	}
	rdb, errDefault := ConnectRedis(ctx, server, Credentials{})
	if errDefault == nil {
		if err := rdb.ACLList(ctx).Err(); !redis.IsPermissionError(err) {
			return rdb, nil
		}
		_ = rdb.Close()
		errDefault = exit.Failf(exit.Forbidden, "redis at %s does not let user \"default\" administer it: set REDIS_USER and REDIS_PASSWORD to an administrator's", server.Where())
	}
	login, err = s.Env.fileCredentials()
	switch {
	case err != nil:
		return nil, err
	case login.User == "":
		return nil, errDefault
	}
	return ConnectRedis(ctx, server, login)
}

// AdministrationError explains an error of Redis's, with its exit code; nil stays
// nil.
func AdministrationError(env *Environment, rdb *redis.Client, what string, err error) error {
	addr, user := ServerOf(rdb), cmp.Or(rdb.Options().Username, "default")
	switch {
	case err == nil:
		return nil
	case redis.HasErrorPrefix(err, "READONLY"):
		return exit.Failf(exit.Redis, "%s: redis at %s is a read-only replica: REDIS_ADDRESS must be the leader's", what, addr)
	case redis.HasErrorPrefix(err, "NOREPLICAS"):
		return exit.Failf(exit.Redis, "%s: redis at %s takes no writes while too few replicas are connected (min-replicas-to-write)", what, addr)
	case redis.HasErrorPrefix(err, "MISCONF"):
		return exit.Failf(exit.Redis, "%s: redis at %s takes no writes, because it cannot save to its disk: see its log", what, addr)
	case redis.HasErrorPrefix(err, "OOM"):
		return exit.Failf(exit.Full, "%s: redis at %s has no memory left (maxmemory)", what, addr)
	case redisconn.UnknownCommand(err):
		return exit.Failf(exit.Redis, "%s: redis at %s has no users: Redis 6 or later is needed, with its command ACL", what, addr)
	case redis.IsPermissionError(err), redis.HasErrorPrefix(err, "EXECABORT"): // so ends a transaction of which a command was refused
		who := "set REDIS_USER and REDIS_PASSWORD to an administrator's"
		if env.OnNS8() {
			who = "run it on the leader with the credentials of the cluster's agent (runagent -m cluster …)"
		}
		return exit.Failf(exit.Forbidden, "%s: redis does not let user %q do this: %s", what, user, who)
	case redis.HasErrorPrefix(err, "NOAUTH"), redis.HasErrorPrefix(err, "WRONGPASS"):
		return lostError(rdb, err)
	}
	return exit.Failf(exit.Redis, "%s: redis at %s: %w", what, addr, err)
}

// TransactionError is the error of a transaction: where a command was refused, so
// that nothing was done, it is that command's.
func TransactionError(commands []redis.Cmder, err error) error {
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
