package host

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// System is what an applet may touch of the world around it.
type System struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Env            *Environment

	agentOnce   sync.Once
	agentWriter io.Writer

	promptOnce sync.Once
	prompt     *Prompter
}

// NewSystem returns a system with these streams and the process's environment.
func NewSystem(stdin io.Reader, stdout, stderr io.Writer) *System {
	return &System{Stdin: stdin, Stdout: stdout, Stderr: stderr, Env: NewEnvironment(os.LookupEnv)}
}

// Warnf tells people about something that does not end the work.
func (s *System) Warnf(format string, args ...any) {
	fmt.Fprintf(s.Stderr, "warning: "+format+"\n", args...)
}

// Notef tells people how the work goes.
func (s *System) Notef(format string, args ...any) {
	fmt.Fprintf(s.Stderr, format+"\n", args...)
}

// RedisRole is a server and the user to talk to it as.
type RedisRole uint8

const (
	// LocalDefault is the node's replica as user "default": it reads
	// cluster/, node/ and module/ without a password.
	LocalDefault RedisRole = iota
	// LocalAgent is the node's replica with the agent's credentials.
	LocalAgent
	// LeaderAgent is the cluster's leader with the agent's credentials: the only
	// place where a module can write.
	LeaderAgent
)

// credentialsFor are the user and password for a role; none for "default".
func (s *System) credentialsFor(role RedisRole) (Credentials, error) {
	if role == LocalDefault {
		return Credentials{}, nil
	}
	return s.Env.Credentials()
}

// keyTimeout bounds the wait for a whole value, which may have hundreds of megabytes.
const keyTimeout = 10 * time.Minute

// Redis connects, and proves with a PING that the server is there and takes the
// credentials. The caller closes the client. Errors carry their exit code.
func (s *System) Redis(ctx context.Context, role RedisRole) (*redis.Client, error) {
	login, err := s.credentialsFor(role)
	if err != nil {
		return nil, err
	}
	server, err := s.Env.RedisReplica()
	if role == LeaderAgent {
		server, err = s.Env.redisLeader()
	}
	if err != nil {
		return nil, err
	}
	return ConnectRedis(ctx, server, login)
}

// RedisForValues is redis for commands that move whole values.
func (s *System) RedisForValues(ctx context.Context, role RedisRole) (*redis.Client, error) {
	client, err := s.Redis(ctx, role)
	if err != nil {
		return nil, err
	}
	return client.WithTimeout(keyTimeout), nil
}
