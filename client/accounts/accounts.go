package accounts

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

// accounts is Redis as far as nodes, modules and their users go.
type accounts struct {
	sys     *host.System
	rdb     *redis.Client
	version account.Version
}

// withAccounts runs do with an administrator's connection to a Redis that has
// users.
func withAccounts(ctx context.Context, sys *host.System, do func(*accounts) error) error {
	rdb, err := sys.Administrator(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	info, err := rdb.Info(ctx, "server").Result()
	if err != nil && !redis.IsPermissionError(err) {
		return host.AdministrationError(sys.Env, rdb, "ask redis for its version", err)
	}
	a := &accounts{sys: sys, rdb: rdb, version: account.ParseVersion(info)}
	if !a.version.HasACLs() {
		return exit.Failf(exit.Redis, "redis at %s is version %s, which has no users: Redis 6 or later is needed", host.ServerOf(rdb), a.version)
	}
	return do(a)
}

// failed explains an error of Redis's; nil stays nil.
func (a *accounts) failed(what string, err error) error {
	if _, coded := errors.AsType[*exit.Error](err); coded {
		return err
	}
	return host.AdministrationError(a.sys.Env, a.rdb, what, err)
}

// users returns the users there are.
func (a *accounts) users(ctx context.Context) (account.List, error) {
	list, err := a.rdb.ACLList(ctx).Result()
	return list, a.failed("list the users", err)
}

// attempts bounds the repetitions of a change that another one came between.
const attempts = 50

// change is transact for what an administrator changes: it is written down with it.
func (a *accounts) change(ctx context.Context, what string, decide func(tx *redis.Tx) (func(redis.Pipeliner), error), keys ...string) error {
	return a.transact(ctx, what, func(tx *redis.Tx) (func(redis.Pipeliner), error) {
		commands, err := decide(tx)
		if err != nil || commands == nil {
			return nil, err
		}
		return func(p redis.Pipeliner) {
			commands(p)
			a.sys.Changed(what).Write(ctx, p)
		}, nil
	}, keys...)
}

// transact makes a change that depends on keys, which decide reads: it returns the
// commands to do at once. Where somebody changed one of the keys meanwhile, it all
// begins again. Without commands nothing happens.
func (a *accounts) transact(ctx context.Context, what string, decide func(tx *redis.Tx) (func(redis.Pipeliner), error), keys ...string) error {
	for range attempts {
		err := a.rdb.Watch(ctx, func(tx *redis.Tx) error {
			commands, err := decide(tx)
			if err != nil || commands == nil {
				return err
			}
			done, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { commands(p); return nil })
			return host.TransactionError(done, err)
		}, keys...)
		if !errors.Is(err, redis.TxFailedErr) {
			return a.failed(what, err)
		}
	}
	return exit.Failf(exit.Conflict, "%s: others keep changing the same: try again", what)
}

// announce makes the users what the gateways see, and what Redis knows after a
// restart. Whoever changed a user must come here afterwards.
//
// The last one to write the set has listed the users after everybody else's
// write: the set is watched, and each write touches it.
func (a *accounts) announce(ctx context.Context) error {
	err := a.transact(ctx, "publish the users in "+catalog.ACLs, func(tx *redis.Tx) (func(redis.Pipeliner), error) {
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
	a.persist(ctx)
	return nil
}

// persist has Redis write its users where it finds them at its next start.
func (a *accounts) persist(ctx context.Context) {
	err := a.rdb.Do(ctx, "ACL", "SAVE").Err()
	if err == nil {
		return
	}
	how := "let Redis write its ACL file (see its log)"
	if strings.Contains(err.Error(), "not configured to use an ACL file") {
		if err = a.rdb.ConfigRewrite(ctx).Err(); err == nil {
			return
		}
		how = "start it with an ACL file (aclfile PATH), or with a configuration file that it may write, and run this again"
	}
	a.sys.Warnf("redis at %s forgets its users when it restarts: %s: %v", host.ServerOf(a.rdb), how, err)
}

// ownUsers returns the users of a Redis that is not NethServer 8's: there they are not
// ours to make.
func (a *accounts) ownUsers(ctx context.Context) (account.List, error) {
	list, err := a.users(ctx)
	if err == nil && list.OfNS8() {
		err = exit.Failf(exit.Conflict, "redis at %s is that of a NethServer 8 cluster, which makes its nodes, modules and schedules itself: use its own commands", host.ServerOf(a.rdb))
	}
	return list, err
}

// setUser is the command that makes a user, or changes one.
func setUser(ctx context.Context, p redis.Pipeliner, user string, rules ...string) {
	args := []any{"ACL", "SETUSER", user}
	for _, rule := range rules {
		args = append(args, rule)
	}
	p.Do(ctx, args...)
}

// cutOff ends the connections of a user, who logged in with what is no longer valid.
func (a *accounts) cutOff(ctx context.Context, user string) error {
	return a.failed("end the connections of "+user, a.rdb.Do(ctx, "CLIENT", "KILL", "USER", user).Err())
}

// notThere says that a node or a module does not exist.
func notThere(user string) error {
	kind, id, _ := strings.Cut(user, "/")
	return exit.Failf(exit.NotFound, "%s %s does not exist: see gatewayctl %[1]s list", kind, id)
}

// existsWithOther says that a user cannot be made, because it has another password.
func existsWithOther(user string) error {
	kind, id, _ := strings.Cut(user, "/")
	return exit.Failf(exit.Conflict, "%s %s exists already: give it a new password with gatewayctl %[1]s passwd %[2]s, or remove it first", kind, id)
}

// warnOfOpenDefault tells about a Redis in which everybody is an administrator.
func (a *accounts) warnOfOpenDefault(list account.List) {
	if list.Open("default") {
		a.sys.Warnf("whoever reaches redis at %s may do everything, as its user \"default\" has no password: give it one (requirepass, or ACL SETUSER default), or only modules that you trust reach it", host.ServerOf(a.rdb))
	}
}

// warnOfMemory tells about a Redis that loses what it is told.
func (a *accounts) warnOfMemory(ctx context.Context) {
	for _, hazard := range redisconn.Hazards(ctx, a.rdb) {
		a.sys.Warnf("redis at %s %s", host.ServerOf(a.rdb), hazard)
	}
}

// scan is ScanKeys with an administrator's errors.
func (a *accounts) scan(ctx context.Context, pattern string) ([]string, error) {
	keys, err := host.ScanKeys(ctx, a.rdb, pattern)
	return keys, a.failed(fmt.Sprintf("look for keys %q", pattern), err)
}
