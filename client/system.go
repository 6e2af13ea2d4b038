package client

import (
	"context"
	"fmt"
	"io"
	"os"
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

	promptOnce sync.Once
	prompt     *prompter
}

// newSystem returns a system with these streams and the process's environment.
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

// keyTimeout bounds the wait for a whole value, which may have hundreds of megabytes.
const keyTimeout = 10 * time.Minute

// redis connects, and proves with a PING that the server is there and takes the
// credentials. The caller closes the client. Errors carry their exit code.
func (s *system) redis(ctx context.Context, role redisRole) (*redis.Client, error) {
	login, err := s.credentialsFor(role)
	if err != nil {
		return nil, err
	}
	server, err := s.env.redisReplica()
	if role == leaderAgent {
		server, err = s.env.redisLeader()
	}
	if err != nil {
		return nil, err
	}
	return connectRedis(ctx, server, login)
}

// redisForValues is redis for commands that move whole values.
func (s *system) redisForValues(ctx context.Context, role redisRole) (*redis.Client, error) {
	client, err := s.redis(ctx, role)
	if err != nil {
		return nil, err
	}
	return client.WithTimeout(keyTimeout), nil
}
