package redisconn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Limits for one attempt, so that a Redis that hangs causes an error.
const (
	dialTimeout = 5 * time.Second
	ioTimeout   = 5 * time.Second
	// replicaTimeout is how long a replica may take to answer before the main server is
	// asked.
	replicaTimeout = 2 * time.Second
	// readerLifetime is the lifetime of a reader's connection to the main server, used
	// because the replica was down.
	readerLifetime = 5 * time.Minute
)

// DefaultAddress is where Redis is when nothing else was said.
const DefaultAddress = "127.0.0.1:6379"

// Config says where Redis is and who connects. At most one of URL, Address and
// SentinelMaster names the server; without any it is DefaultAddress.
type Config struct {
	URL     string // redis://, rediss:// (TLS) or unix://
	Address string // host:port, or the path of a unix socket with or without unix://
	// ReplicaAddress, in the form of Address, is tried first by readers.
	ReplicaAddress string

	// Username and Password override those of the URL. Without either there is no login,
	// and Redis treats the connection as user "default".
	Username, Password string

	// TLS applies to the server, its replica, and servers that a Sentinel names, but not to
	// unix sockets.
	TLS TLS

	SentinelMaster                     string
	SentinelAddrs                      []string // host:port
	SentinelUsername, SentinelPassword string
	SentinelTLS                        TLS

	// Timeout bounds the start of a connection, and each answer; zero means 5 s.
	Timeout time.Duration
}

// WithUser returns the same server for another user.
func (c Config) WithUser(username, password string) Config {
	c.Username, c.Password = username, password
	return c
}

// Open returns a client of the main server. It does not connect yet: errors are
// about the configuration, and name no password.
func (c Config) Open() (*redis.Client, error) {
	c.ReplicaAddress = ""
	return c.OpenReader()
}

// OpenReader returns a client for reading and subscribing. Each of its connections goes to
// the replica if that answers, otherwise to the main server.
func (c Config) OpenReader() (*redis.Client, error) {
	quiet()
	opts, skipVerify, err := c.options()
	if err != nil {
		return nil, err
	}
	server := c.TLS
	server.Enabled = server.Enabled || opts.TLSConfig != nil
	if opts.TLSConfig, err = server.config("--redis", skipVerify); err != nil {
		return nil, err
	}
	if c.SentinelMaster != "" {
		return c.openSentinel(opts)
	}
	d := dialer{tls: opts.TLSConfig, timeout: opts.DialTimeout}
	if c.ReplicaAddress != "" {
		if d.replica, err = parseAddress(c.ReplicaAddress); err != nil {
			return nil, fmt.Errorf("redis replica: %w", err)
		}
		opts.ConnMaxLifetime = readerLifetime
		opts.DialTimeout += replicaTimeout
	}
	opts.Dialer = d.dial
	return redis.NewClient(opts), nil
}

var (
	errTwoServers = errors.New("redis: the URL and the address name a server each: give --redis-url ($REDIS_URL) or --redis-address ($REDIS_ADDRESS)")
	errNotAlone   = errors.New("redis: Sentinel finds the server itself: give no URL, address or replica address with it")
	errBadURL     = errors.New("redis: the URL cannot be read; it must be redis://, rediss:// or unix://, with special characters of the password percent-encoded")
	errNoMaster   = errors.New("redis: --redis-sentinel ($REDIS_SENTINEL) needs the name of the master: give --redis-sentinel-master ($REDIS_SENTINEL_MASTER)")
	errNoSentinel = errors.New("redis: no address of a Sentinel given: give --redis-sentinel ($REDIS_SENTINEL)")
)

// options returns the options for a single server; for Sentinel, the options that both
// share. TLSConfig is set according to the URL's scheme.
func (c Config) options() (opts *redis.Options, skipVerify bool, err error) {
	opts = &redis.Options{}
	switch {
	case c.SentinelMaster != "" && (c.URL != "" || c.Address != "" || c.ReplicaAddress != ""):
		return nil, false, errNotAlone
	case c.SentinelMaster == "" && len(c.SentinelAddrs) > 0:
		return nil, false, errNoMaster
	case c.URL != "" && c.Address != "":
		return nil, false, errTwoServers
	case c.URL != "":
		if opts, err = redis.ParseURL(c.URL); err != nil {
			return nil, false, errBadURL // its text may hold the password
		}
		skipVerify = opts.TLSConfig != nil && opts.TLSConfig.InsecureSkipVerify // as its skip_verify says
	default:
		addr, err := parseAddress(cmp.Or(c.Address, DefaultAddress))
		if err != nil {
			return nil, false, fmt.Errorf("redis: %w", err)
		}
		opts.Network, opts.Addr = addr.network, addr.address
	}
	if c.Username != "" || c.Password != "" {
		opts.Username, opts.Password = c.Username, c.Password
	}
	opts.DialTimeout, opts.DialerRetries = cmp.Or(c.Timeout, dialTimeout), 1
	opts.ReadTimeout, opts.WriteTimeout = cmp.Or(c.Timeout, ioTimeout), cmp.Or(c.Timeout, ioTimeout)
	opts.MaxRetries = 1 // for a connection that a restart of the server broke
	opts.ContextTimeoutEnabled = true
	// Commands on connect that older servers and narrow users refuse.
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return opts, skipVerify, nil
}

// Where returns which server it is, without the user.
func (c Config) Where() string {
	switch {
	case c.SentinelMaster != "":
		return c.SentinelMaster + " at Sentinel " + strings.Join(c.SentinelAddrs, ",")
	case c.URL != "":
		return redactURL(c.URL)
	}
	return cmp.Or(c.Address, DefaultAddress)
}

// String returns server and user, without passwords.
func (c Config) String() string {
	where := c.Where()
	if c.ReplicaAddress != "" {
		where += ", read at " + c.ReplicaAddress
	}
	if c.Username != "" {
		where += " as " + c.Username
	}
	return where
}

// GoString keeps passwords out of %#v.
func (c Config) GoString() string { return c.String() }

// LogValue keeps passwords out of logs.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

func redactURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "a URL that cannot be read"
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if name := u.User.Username(); name != "" {
		shown.User = url.User(name)
	}
	return shown.String()
}

// quiet sends the client library's messages to slog instead of stderr.
var quiet = sync.OnceFunc(func() { redis.SetLogger(slogRedis{}) })

type slogRedis struct{}

// Printf implements the library's logger. The messages are also in the errors that it
// returns, so they are only for debugging.
func (slogRedis) Printf(ctx context.Context, format string, v ...any) {
	if slog.Default().Enabled(ctx, slog.LevelDebug) {
		slog.DebugContext(ctx, "redis client", "detail", fmt.Sprintf(format, v...))
	}
}
