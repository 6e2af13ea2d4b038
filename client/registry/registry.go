// Package registry is an administrator's access to Redis: its users, and changes that span
// several keys. It contains no command.
package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
)

// Registry is Redis as an administrator sees it.
type Registry struct {
	Sys     *host.System
	Redis   *redis.Client
	Version account.Version
}

// With calls do with an administrator's connection to a Redis that has users.
func With(ctx context.Context, sys *host.System, do func(*Registry) error) error {
	rdb, err := sys.Administrator(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	info, err := rdb.Info(ctx, "server").Result()
	if err != nil && !redis.IsPermissionError(err) {
		return host.AdministrationError(sys.Env, rdb, "ask redis for its version", err)
	}
	r := &Registry{Sys: sys, Redis: rdb, Version: account.ParseVersion(info)}
	if !r.Version.HasACLs() {
		return exit.Failf(exit.Redis, "redis at %s is version %s, which has no users: Redis 6 or later is needed", host.ServerOf(rdb), r.Version)
	}
	return do(r)
}

// Failed explains an error of Redis; nil stays nil.
func (r *Registry) Failed(what string, err error) error {
	if _, coded := errors.AsType[*exit.Error](err); coded {
		return err
	}
	return host.AdministrationError(r.Sys.Env, r.Redis, what, err)
}

// Users returns all users.
func (r *Registry) Users(ctx context.Context) (account.List, error) {
	list, err := r.Redis.ACLList(ctx).Result()
	return list, r.Failed("list the users", err)
}

// attempts bounds the retries of a change that conflicts with another one.
const attempts = 50

// Change is Transact for an administrator's changes: it also records what was changed.
func (r *Registry) Change(ctx context.Context, what string, decide func(tx *redis.Tx) (func(redis.Pipeliner), error), keys ...string) error {
	return r.Transact(ctx, what, func(tx *redis.Tx) (func(redis.Pipeliner), error) {
		commands, err := decide(tx)
		if err != nil || commands == nil {
			return nil, err
		}
		return func(p redis.Pipeliner) {
			commands(p)
			r.Sys.Changed(what).Write(ctx, p)
		}, nil
	}, keys...)
}

// Transact makes a change that depends on keys. decide reads them and returns the commands
// to execute atomically; nil means no change. If another client changes one of the keys
// meanwhile, Transact starts again.
func (r *Registry) Transact(ctx context.Context, what string, decide func(tx *redis.Tx) (func(redis.Pipeliner), error), keys ...string) error {
	for range attempts {
		err := r.Redis.Watch(ctx, func(tx *redis.Tx) error {
			commands, err := decide(tx)
			if err != nil || commands == nil {
				return err
			}
			done, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { commands(p); return nil })
			return host.TransactionError(done, err)
		}, keys...)
		if !errors.Is(err, redis.TxFailedErr) {
			return r.Failed(what, err)
		}
	}
	return exit.Failf(exit.Conflict, "%s: others keep changing the same: try again", what)
}

// Announce publishes the present users to the gateways, and has Redis persist them. Every
// change of a user must be followed by it.
//
// The published set always ends up complete: it is watched, and every Announce touches it,
// so the last one to write it has listed the users after all other writes.
func (r *Registry) Announce(ctx context.Context) error {
	err := r.Transact(ctx, "publish the users in "+catalog.ACLs, func(tx *redis.Tx) (func(redis.Pipeliner), error) {
		list, err := tx.ACLList(ctx).Result()
		if err != nil {
			return nil, err
		}
		lines := account.List(list).Principals()
		return func(p redis.Pipeliner) {
			// Deleting a missing set would not touch the key.
			p.SAdd(ctx, catalog.ACLs, "")
			p.Del(ctx, catalog.ACLs)
			if len(lines) > 0 {
				p.SAdd(ctx, catalog.ACLs, lines)
			}
			p.Publish(ctx, catalog.ChannelACLChanged, catalog.ACLs)
		}, nil
	}, catalog.ACLs)
	if err != nil {
		return err
	}
	r.persist(ctx)
	return nil
}

// persist has Redis save its users, so that they survive a restart.
func (r *Registry) persist(ctx context.Context) {
	err := r.Redis.Do(ctx, "ACL", "SAVE").Err()
	if err == nil {
		return
	}
	how := "let Redis write its ACL file (see its log)"
	if strings.Contains(err.Error(), "not configured to use an ACL file") {
		if err = r.Redis.ConfigRewrite(ctx).Err(); err == nil {
			return
		}
		how = "start it with an ACL file (aclfile PATH), or with a configuration file that it may write, and run this again"
	}
	r.Sys.Warnf("redis at %s forgets its users when it restarts: %s: %v", host.ServerOf(r.Redis), how, err)
}

// OwnUsers returns the users of a Redis that NethServer 8 does not manage; there, users are
// not ours to change.
func (r *Registry) OwnUsers(ctx context.Context) (account.List, error) {
	list, err := r.Users(ctx)
	if err == nil && list.OfNS8() {
		err = exit.Failf(exit.Conflict, "redis at %s is that of a NethServer 8 cluster, which makes its nodes, modules and schedules itself: use its own commands", host.ServerOf(r.Redis))
	}
	return list, err
}

// SetUser queues the command that creates or changes a user.
func SetUser(ctx context.Context, p redis.Pipeliner, user string, rules ...string) {
	args := []any{"ACL", "SETUSER", user}
	for _, rule := range rules {
		args = append(args, rule)
	}
	p.Do(ctx, args...)
}

// CutOff closes the connections of a user whose credentials are no longer valid.
func (r *Registry) CutOff(ctx context.Context, user string) error {
	return r.Failed("end the connections of "+user, r.Redis.Do(ctx, "CLIENT", "KILL", "USER", user).Err())
}

// WarnOfOpenDefault warns about a Redis in which everybody is an administrator.
func (r *Registry) WarnOfOpenDefault(list account.List) {
	if list.Open("default") {
		r.Sys.Warnf("whoever reaches redis at %s may do everything, as its user \"default\" has no password: give it one (requirepass, or ACL SETUSER default), or only modules that you trust reach it", host.ServerOf(r.Redis))
	}
}

// WarnOfMemory warns about a Redis without persistence.
func (r *Registry) WarnOfMemory(ctx context.Context) {
	for _, hazard := range redisconn.Hazards(ctx, r.Redis) {
		r.Sys.Warnf("redis at %s %s", host.ServerOf(r.Redis), hazard)
	}
}

// Scan is ScanKeys with an administrator's errors.
func (r *Registry) Scan(ctx context.Context, pattern string) ([]string, error) {
	keys, err := host.ScanKeys(ctx, r.Redis, pattern)
	return keys, r.Failed(fmt.Sprintf("look for keys %q", pattern), err)
}
