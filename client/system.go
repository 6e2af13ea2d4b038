package client

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// system is what an applet may touch of the world around it.
type system struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            *environment

	agentOnce   sync.Once
	agentWriter io.Writer

	promptOnce sync.Once
	prompt     *prompter
}

func newSystem(stdin io.Reader, stdout, stderr io.Writer) *system {
	return &system{stdin: stdin, stdout: stdout, stderr: stderr, env: newEnvironment(os.LookupEnv)}
}

// warnf tells people about something that does not end the work.
func (s *system) warnf(format string, args ...any) {
	fmt.Fprintf(s.stderr, "warning: "+format+"\n", args...)
}

// notef tells people how the work goes.
func (s *system) notef(format string, args ...any) {
	fmt.Fprintf(s.stderr, format+"\n", args...)
}

// redisRole is a server and the user to talk to it as.
type redisRole uint8

const (
	// localDefault is the node's replica as user "default": it reads
	// cluster/, node/ and module/ without a password.
	localDefault redisRole = iota
	// localAgent is the node's replica with the agent's credentials.
	localAgent
	// leaderAgent is the cluster's leader with the agent's credentials: the only
	// place where a module can write.
	leaderAgent
)

// credentialsFor are the user and password for a role; none for "default".
func (s *system) credentialsFor(role redisRole) (credentials, error) {
	if role == localDefault {
		return credentials{}, nil
	}
	return s.env.credentials()
}

// redisTimeout bounds the wait for a server that does not answer.
const redisTimeout = 10 * time.Second

// keyTimeout bounds the wait for a whole value, which may have hundreds of megabytes.
const keyTimeout = 10 * time.Minute

// redis connects, and proves with a PING that the server is there and takes the
// credentials. The caller closes the client. Errors carry their exit code.
func (s *system) redis(ctx context.Context, role redisRole) (*redis.Client, error) {
	login, err := s.credentialsFor(role)
	if err != nil {
		return nil, err
	}
	if role == leaderAgent {
		return connectRedis(ctx, s.env.redisLeader(), login)
	}
	return connectRedis(ctx, s.env.redisReplica(), login)
}

// redisForValues is redis for commands that move whole values.
func (s *system) redisForValues(ctx context.Context, role redisRole) (*redis.Client, error) {
	client, err := s.redis(ctx, role)
	if err != nil {
		return nil, err
	}
	return client.WithTimeout(keyTimeout), nil
}

// connectRedis connects as the user, or as "default" without a password where
// there are no credentials, and proves it with a PING.
func connectRedis(ctx context.Context, addr string, login credentials) (*redis.Client, error) {
	options := &redis.Options{
		Addr: addr, Username: login.user, Password: login.password,
		DialTimeout: redisTimeout, ReadTimeout: redisTimeout, WriteTimeout: redisTimeout,
		DisableIdentity: true, Protocol: 2, MaxRetries: 1,
	}
	if strings.HasPrefix(addr, "/") {
		options.Network = "unix"
	}
	client := redis.NewClient(options)
	if err := client.Ping(ctx).Err(); err != nil {
		_ = client.Close()
		return nil, redisError(options, err)
	}
	return client, nil
}

func redisError(options *redis.Options, err error) error {
	user := cmp.Or(options.Username, "default")
	switch {
	case redis.HasErrorPrefix(err, "NOAUTH"):
		return failf(exitRedis, "redis at %s wants a user and a password, and none were given: set REDIS_USER and REDIS_PASSWORD: %w", options.Addr, err)
	case redis.HasErrorPrefix(err, "WRONGPASS"):
		return failf(exitRedis, "redis at %s refuses user %q: wrong password, or the user was removed", options.Addr, user)
	case noUsers(err):
		return failf(exitRedis, "redis at %s does not know users: Redis 6 or later is needed", options.Addr)
	case redis.HasErrorPrefix(err, "ERR"), redis.HasErrorPrefix(err, "LOADING"), redis.HasErrorPrefix(err, "MASTERDOWN"):
		return failf(exitRedis, "redis at %s refuses the connection: %w", options.Addr, err)
	case catalog.Ended(err):
		return failf(exitRedis, "redis at %s %s", options.Addr, catalog.WhyEnded)
	default:
		return failf(exitRedis, "redis at %s does not answer: %w", options.Addr, err)
	}
}

// noUsers tells whether a server is older than users are: it takes AUTH with a
// password alone.
func noUsers(err error) bool {
	return strings.Contains(err.Error(), "wrong number of arguments for 'auth'")
}
