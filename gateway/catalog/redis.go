package catalog

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Limits on one attempt, so that a Redis that hangs ends in an error.
const (
	dialTimeout = 5 * time.Second
	ioTimeout   = 5 * time.Second
	// replicaTimeout is what a replica has to answer in before the main server
	// is asked.
	replicaTimeout = 2 * time.Second
	// readerLifetime is when a connection of a reader ends that went to the main
	// server because the replica was away.
	readerLifetime = 5 * time.Minute
)

const defaultAddress = "127.0.0.1:6379"

// Redis says where Redis is and who connects. At most one of URL, Address and
// SentinelMaster names the server; without any it is 127.0.0.1:6379.
type Redis struct {
	URL     string // redis://, rediss:// (TLS) or unix://
	Address string // host:port, or the path of a unix socket with or without unix://
	// ReplicaAddress, in the form of Address, is where readers connect first.
	ReplicaAddress string

	// Username and Password go before those of the URL. Without either nobody
	// logs in, and Redis takes the connection as user "default".
	Username, Password string

	SentinelMaster                     string
	SentinelAddrs                      []string // host:port
	SentinelUsername, SentinelPassword string

	// CACert is a file of PEM certificates to trust instead of the system's.
	// It turns TLS on.
	CACert string
}

// WithUser is the same server for another user.
func (r Redis) WithUser(username, password string) Redis {
	r.Username, r.Password = username, password
	return r
}

// Open returns a client of the main server. It does not connect yet: errors are
// about the configuration, and name no password.
func (r Redis) Open() (redis.UniversalClient, error) {
	r.ReplicaAddress = ""
	return r.OpenReader()
}

// OpenReader returns a client for reading and subscribing. Each of its
// connections goes to the replica if that answers, else to the main server.
func (r Redis) OpenReader() (redis.UniversalClient, error) {
	quietRedis()
	main, err := r.options()
	if err != nil {
		return nil, err
	}
	if main.TLSConfig, err = r.tlsConfig(main.TLSConfig); err != nil {
		return nil, err
	}
	if r.SentinelMaster != "" {
		return r.openSentinel(main)
	}
	d := dialer{tls: main.TLSConfig}
	if r.ReplicaAddress != "" {
		if d.replica, err = parseAddress(r.ReplicaAddress); err != nil {
			return nil, fmt.Errorf("redis replica: %w", err)
		}
		main.ConnMaxLifetime = readerLifetime
		main.DialTimeout += replicaTimeout
	}
	main.Dialer = d.dial
	return redis.NewClient(main), nil
}

// options are those of a single server; for Sentinel, what it shares with one.
func (r Redis) options() (*redis.Options, error) {
	opts := &redis.Options{}
	switch {
	case r.SentinelMaster != "" && (r.URL != "" || r.Address != "" || r.ReplicaAddress != ""):
		return nil, errors.New("redis: a Sentinel finds the server itself: give no URL, address or replica address beside it")
	case r.URL != "" && r.Address != "":
		return nil, errors.New("redis: give either a URL or an address")
	case r.URL != "":
		var err error
		if opts, err = redis.ParseURL(r.URL); err != nil {
			// Its text may hold the password.
			return nil, errors.New("redis: the URL cannot be read; it must be redis://, rediss:// or unix://, with special characters of the password percent-encoded")
		}
	default:
		addr, err := parseAddress(cmp.Or(r.Address, defaultAddress))
		if err != nil {
			return nil, fmt.Errorf("redis: %w", err)
		}
		opts.Network, opts.Addr = addr.network, addr.address
	}
	if r.Username != "" || r.Password != "" {
		opts.Username, opts.Password = r.Username, r.Password
	}
	opts.DialTimeout, opts.DialerRetries = dialTimeout, 1
	opts.ReadTimeout, opts.WriteTimeout = ioTimeout, ioTimeout
	opts.MaxRetries = 1 // for a connection that a restart of the server broke
	opts.ContextTimeoutEnabled = true
	// Commands on connect that older servers and narrow users refuse.
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return opts, nil
}

func (r Redis) openSentinel(o *redis.Options) (redis.UniversalClient, error) {
	if len(r.SentinelAddrs) == 0 {
		return nil, errors.New("redis: no address of a Sentinel given")
	}
	return redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: r.SentinelMaster, SentinelAddrs: r.SentinelAddrs,
		SentinelUsername: r.SentinelUsername, SentinelPassword: r.SentinelPassword,
		Username: o.Username, Password: o.Password,
		DialTimeout: o.DialTimeout, DialerRetries: o.DialerRetries,
		ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout,
		MaxRetries: o.MaxRetries, ContextTimeoutEnabled: true, DisableIdentity: true,
		Dialer: dialer{tls: o.TLSConfig}.dial,
	}), nil
}

// tlsConfig completes what the URL asked for. The server's name is left to the
// dialer, which knows whether it speaks to the replica.
func (r Redis) tlsConfig(fromURL *tls.Config) (*tls.Config, error) {
	if fromURL == nil && r.CACert == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if fromURL != nil {
		config.InsecureSkipVerify = fromURL.InsecureSkipVerify // skip_verify=true in the URL
	}
	if r.CACert == "" {
		return config, nil
	}
	pem, err := os.ReadFile(r.CACert)
	if err != nil {
		return nil, fmt.Errorf("redis: read CA certificates: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("redis: no PEM certificate in %s", r.CACert)
	}
	return config, nil
}

// String says where and who, without passwords.
func (r Redis) String() string {
	where := cmp.Or(r.Address, defaultAddress)
	switch {
	case r.SentinelMaster != "":
		where = r.SentinelMaster + " at Sentinel " + strings.Join(r.SentinelAddrs, ",")
	case r.URL != "":
		where = redactURL(r.URL)
	}
	if r.ReplicaAddress != "" {
		where += ", read at " + r.ReplicaAddress
	}
	if r.Username != "" {
		where += " as " + r.Username
	}
	return where
}

// GoString keeps passwords out of %#v.
func (r Redis) GoString() string { return r.String() }

// LogValue keeps passwords out of logs.
func (r Redis) LogValue() slog.Value { return slog.StringValue(r.String()) }

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

// quietRedis sends what the client library would print on stderr to slog.
var quietRedis = sync.OnceFunc(func() { redis.SetLogger(slogRedis{}) })

type slogRedis struct{}

// Printf implements the library's logger. What it says is also in the errors it
// returns, so it is only for debugging.
func (slogRedis) Printf(ctx context.Context, format string, v ...any) {
	if slog.Default().Enabled(ctx, slog.LevelDebug) {
		slog.DebugContext(ctx, "redis client", "detail", fmt.Sprintf(format, v...))
	}
}
