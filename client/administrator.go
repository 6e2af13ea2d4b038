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
	login, err := s.env.processLogin()
	if err != nil {
		return nil, err
	}
	server, err := s.env.redisLeader()
	if err != nil {
		return nil, err
	}
	if login != (credentials{}) {
		if login.password == "" {
			_, err := checkCredentials(login.user, "", "the environment")
			return nil, err
		}
		return connectRedis(ctx, server, login)
	}
	rdb, errDefault := connectRedis(ctx, server, credentials{})
	if errDefault == nil {
		if err := rdb.ACLList(ctx).Err(); !redis.IsPermissionError(err) {
			return rdb, nil
		}
		_ = rdb.Close()
		errDefault = failf(exitForbidden, "redis at %s does not let user \"default\" administer it: set REDIS_USER and REDIS_PASSWORD to an administrator's", server.Where())
	}
	login, err = s.env.fileCredentials()
	switch {
	case err != nil:
		return nil, err
	case login.user == "":
		return nil, errDefault
	}
	return connectRedis(ctx, server, login)
}

// administrationError explains an error of Redis's, with its exit code; nil stays
// nil.
func administrationError(env *environment, rdb *redis.Client, what string, err error) error {
	addr, user := serverOf(rdb), cmp.Or(rdb.Options().Username, "default")
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
		who := "set REDIS_USER and REDIS_PASSWORD to an administrator's"
		if env.onNS8() {
			who = "run it on the leader with the credentials of the cluster's agent (runagent -m cluster …)"
		}
		return failf(exitForbidden, "%s: redis does not let user %q do this: %s", what, user, who)
	case redis.HasErrorPrefix(err, "NOAUTH"), redis.HasErrorPrefix(err, "WRONGPASS"):
		return lostError(rdb, err)
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
