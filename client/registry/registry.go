// Package registry is Redis as administrators change it: its users, and what depends on
// several keys. It knows no command.
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

// With runs do with an administrator's connection to a Redis that has users.
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

// Failed explains an error of Redis's; nil stays nil.
func (r *Registry) Failed(what string, err error) error {
	if _, coded := errors.AsType[*exit.Error](err); coded {
		return err
	}
	return host.AdministrationError(r.Sys.Env, r.Redis, what, err)
}

// Users returns the users there are.
func (r *Registry) Users(ctx context.Context) (account.List, error) {
	list, err := r.Redis.ACLList(ctx).Result()
	return list, r.Failed("list the users", err)
}

// attempts bounds the repetitions of a change that another one came between.
const attempts = 50

// Change is Transact for what an administrator changes: it is written down with it.
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

// Transact makes a change that depends on keys, which decide reads: it returns the
// commands to do at once. Where somebody changed one of the keys meanwhile, it all
// begins again. Without commands nothing happens.
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

// Announce makes the users what the gateways see, and what Redis knows after a
// restart. Whoever changed a user must come here afterwards.
//
// The last one to write the set has listed the users after everybody else's
// write: the set is watched, and each write touches it.
func (r *Registry) Announce(ctx context.Context) error {
	err := r.Transact(ctx, "publish the users in "+catalog.ACLs, func(tx *redis.Tx) (func(redis.Pipeliner), error) {
		list, err := tx.ACLList(ctx).Result()
		if err != nil {
			return nil, err
		}
		lines := account.List(list).Principals()
		return func(p redis.Pipeliner) {
			// Deleting a set that is not there would touch nothing.
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

// persist has Redis write its users where it finds them at its next start.
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

// OwnUsers returns the users of a Redis that is not NethServer 8's: there they are not
// ours to make.
func (r *Registry) OwnUsers(ctx context.Context) (account.List, error) {
	list, err := r.Users(ctx)
	if err == nil && list.OfNS8() {
		err = exit.Failf(exit.Conflict, "redis at %s is that of a NethServer 8 cluster, which makes its nodes, modules and schedules itself: use its own commands", host.ServerOf(r.Redis))
	}
	return list, err
}

// SetUser is the command that makes a user, or changes one.
func SetUser(ctx context.Context, p redis.Pipeliner, user string, rules ...string) {
	args := []any{"ACL", "SETUSER", user}
	for _, rule := range rules {
		args = append(args, rule)
	}
	p.Do(ctx, args...)
}

// CutOff ends the connections of a user, who logged in with what is no longer valid.
func (r *Registry) CutOff(ctx context.Context, user string) error {
	return r.Failed("end the connections of "+user, r.Redis.Do(ctx, "CLIENT", "KILL", "USER", user).Err())
}

// WarnOfOpenDefault tells about a Redis in which everybody is an administrator.
func (r *Registry) WarnOfOpenDefault(list account.List) {
	if list.Open("default") {
		r.Sys.Warnf("whoever reaches redis at %s may do everything, as its user \"default\" has no password: give it one (requirepass, or ACL SETUSER default), or only modules that you trust reach it", host.ServerOf(r.Redis))
	}
}

// WarnOfMemory tells about a Redis that loses what it is told.
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
