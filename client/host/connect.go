package host

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
	"github.com/rclone-gateway/rclone-gateway/internal/flagenv"
	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
)

// redisTimeout bounds the wait for a server that does not answer.
const redisTimeout = 10 * time.Second

// Variables of one thing each, which are taken from one place: half of them from
// another would lead to the wrong server, or as the wrong user.
var (
	loginVariables  = envfile.LoginVariables
	serverVariables = envfile.ServerVariables
)

// redisSettings reads the variables of a connection.
func redisSettings(lookup func(string) (string, bool)) (redisconn.Settings, error) {
	var s redisconn.Settings
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	s.Register(flags)
	if err := flagenv.Fill(flags, lookup); err != nil {
		return s, exit.With(exit.Usage, err)
	}
	return s, exit.With(exit.Usage, s.Complete(lookup))
}

// RedisServer is where Redis is. Whoever wants to log in does so as another user than
// a URL names.
func (e *Environment) RedisServer() (redisconn.Settings, error) {
	if e.NoRedis() {
		return redisconn.Settings{}, exit.Failf(exit.Redis, "this host reaches no Redis (REDIS_ADDRESS is %s), and this command needs it: run it on a node", NoRedisAddress)
	}
	place := e.serverPlace()
	s, err := redisSettings(func(name string) (string, bool) {
		if slices.Contains(loginVariables, name) {
			return "", false
		}
		if place != nil && slices.Contains(serverVariables, name) {
			value := place(name)
			return value, value != ""
		}
		value := e.Get(name)
		return value, value != ""
	})
	s.Username, s.Password, s.Timeout = "", "", redisTimeout
	return s, err
}

// NoRedisAddress is the REDIS_ADDRESS of a host that reaches no Redis.
const NoRedisAddress = "none"

// NoRedis reports whether this host reaches no Redis, as is said by the address none. A
// module asks the gateway then.
func (e *Environment) NoRedis() bool {
	return e.serverPlace() == nil && e.Get("REDIS_ADDRESS") == NoRedisAddress
}

// serverPlace is the first place that names a server, if it names a URL or Sentinels:
// what other places say of addresses is about another server then. It is nil where
// addresses are all there is, which may come from several places, as they do on NS8.
func (e *Environment) serverPlace() func(string) string {
	process := func(name string) string { value, _ := e.Lookup(name); return value }
	places := []func(string) string{process}
	for _, file := range e.files() {
		places = append(places, func(name string) string { return file.values()[name] })
	}
	for _, place := range places {
		switch {
		case place("REDIS_URL") != "", place("REDIS_SENTINEL") != "", place("REDIS_SENTINEL_MASTER") != "":
			return place
		case place("REDIS_ADDRESS") != "":
			return nil
		}
	}
	return nil
}

// redisLeader is the server to write to.
func (e *Environment) redisLeader() (redisconn.Config, error) {
	s, err := e.RedisServer()
	s.ReplicaAddress = ""
	return s.Config, err
}

// RedisReplica is the server to read from: the replica, or where a URL or Sentinels
// lead if there is none. With nothing but addresses it is that of this host on NethServer 8,
// and elsewhere the one to write to.
func (e *Environment) RedisReplica() (redisconn.Config, error) {
	s, err := e.RedisServer()
	switch {
	case s.ReplicaAddress != "":
		s.TLS.Enabled = s.TLS.Enabled || strings.HasPrefix(s.URL, "rediss:")
		s.Address, s.URL = s.ReplicaAddress, ""
	case s.URL == "" && s.SentinelMaster == "" && e.OnNS8():
		s.Address = redisconn.DefaultAddress
	}
	s.ReplicaAddress = ""
	return s.Config, err
}

// processLogin is the user and the password of the process environment, each "" where
// it has none.
func (e *Environment) processLogin() (Credentials, error) {
	s, err := redisSettings(e.Lookup)
	return Credentials{s.Username, s.Password}, err
}

// ConnectRedis connects as the user, or as "default" without a password where
// there are no credentials, and proves it with a PING.
func ConnectRedis(ctx context.Context, server redisconn.Config, login Credentials) (*redis.Client, error) {
	server = server.WithUser(login.User, login.Password)
	client, err := server.Open()
	if err != nil {
		return nil, exit.With(exit.Usage, err)
	}
	if err := client.Ping(ctx).Err(); err != nil {
		_ = client.Close()
		return nil, connectError(server, err)
	}
	return client, nil
}

// connectError explains why there is no connection.
func connectError(server redisconn.Config, err error) error {
	where, advice := server.Where(), server.Advice(err)
	switch {
	case redis.HasErrorPrefix(err, "WRONGPASS") && !redisconn.IsSentinel(err):
		return exit.Failf(exit.Redis, "redis at %s refuses user %q: wrong password, or the user was removed", where, cmp.Or(server.Username, "default"))
	case redisconn.NoUsers(err):
		return exit.Failf(exit.Redis, "redis at %s does not know users: Redis 6 or later is needed", where)
	case redisconn.Ended(err) && !redisconn.IsSentinel(err):
		return exit.Failf(exit.Redis, "redis at %s %s", where, advice)
	case redis.HasErrorPrefix(err, "NOAUTH") && !redisconn.IsSentinel(err) && server.Username == "" && server.Password == "":
		return exit.Failf(exit.Redis, "redis at %s wants a user and a password, and none were given: set REDIS_USER and REDIS_PASSWORD: %w", where, err)
	case redis.HasErrorPrefix(err, "NOAUTH") && !redisconn.IsSentinel(err):
		return exit.Failf(exit.Redis, "redis at %s wants a user and a password: %s: %w", where, advice, err)
	case advice == "":
		return exit.Failf(exit.Redis, "redis at %s refuses the connection: %w", where, err)
	}
	return exit.Failf(exit.Redis, "redis at %s does not answer: %w; %s", where, err, advice)
}

// lostError explains an error of a connection that had been made: it may be one of a
// new connection, after the first was lost.
func lostError(rdb *redis.Client, err error) error {
	o := rdb.Options()
	return connectError(redisconn.Config{Address: o.Addr, Username: o.Username, Password: o.Password}, err)
}

// ServerOf is how messages call the server of a connection.
func ServerOf(rdb *redis.Client) string {
	if addr := rdb.Options().Addr; addr != "FailoverClient" { // as the library has it behind Sentinels
		return addr
	}
	return "the address that Sentinel told"
}
