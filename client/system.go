package client

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// system is what an applet may touch of the world around it.
type system struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            *environment

	agentOnce   sync.Once
	agentWriter io.Writer
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

// redisTimeout bounds the wait for a server that does not answer.
const redisTimeout = 10 * time.Second

// redis connects, and proves with a PING that the server is there and takes the
// credentials. The caller closes the client. Errors carry their exit code.
func (s *system) redis(ctx context.Context, role redisRole) (*redis.Client, error) {
	options := &redis.Options{
		DialTimeout: redisTimeout, ReadTimeout: redisTimeout, WriteTimeout: redisTimeout,
		DisableIdentity: true, Protocol: 2, MaxRetries: 1,
	}
	options.Addr = s.env.redisReplica()
	if role == leaderAgent {
		options.Addr = s.env.redisLeader()
	}
	if strings.HasPrefix(options.Addr, "/") {
		options.Network = "unix"
	}
	if role != localDefault {
		credentials, err := s.env.credentials()
		if err != nil {
			return nil, err
		}
		options.Username, options.Password = credentials.user, credentials.password
	}
	client := redis.NewClient(options)
	if err := client.Ping(ctx).Err(); err != nil {
		_ = client.Close()
		return nil, redisError(options, err)
	}
	return client, nil
}

func redisError(options *redis.Options, err error) error {
	switch {
	case redis.HasErrorPrefix(err, "WRONGPASS"), redis.HasErrorPrefix(err, "NOAUTH"):
		return failf(exitRedis, "redis at %s refuses user %q: wrong password, or the user was removed", options.Addr, options.Username)
	default:
		return failf(exitRedis, "redis at %s does not answer: %w", options.Addr, err)
	}
}
