package redisconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// openSentinel returns a client of the server that Sentinels name.
func (c Config) openSentinel(o *redis.Options) (*redis.Client, error) {
	if len(c.SentinelAddrs) == 0 {
		return nil, errNoSentinel
	}
	for _, addr := range c.SentinelAddrs {
		if _, err := parseAddress(addr); err != nil {
			return nil, fmt.Errorf("redis Sentinel: %w", err)
		}
	}
	sentinelTLS, err := c.sentinelTLS().config("--redis-sentinel", false)
	if err != nil {
		return nil, err
	}
	client := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: c.SentinelMaster, SentinelAddrs: c.SentinelAddrs,
		SentinelUsername: c.SentinelUsername, SentinelPassword: c.SentinelPassword,
		Username: o.Username, Password: o.Password,
		DialTimeout: o.DialTimeout, DialerRetries: o.DialerRetries,
		ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout,
		MaxRetries: o.MaxRetries, ContextTimeoutEnabled: true, DisableIdentity: true,
		Dialer: sentinelDialer{sentinelTLS, o.DialTimeout}.dial,
	})
	client.AddHook(toServer{o.TLSConfig})
	return client, nil
}

// sentinelTLS takes the CA and the client's certificate from the server's TLS unless
// Sentinel has its own. The server's TLS alone does not enable it.
func (c Config) sentinelTLS() TLS {
	t := c.SentinelTLS
	if !t.On() {
		return t
	}
	if t.CA == "" {
		t.CA = c.TLS.CA
	}
	if t.Cert == "" && t.Key == "" {
		t.Cert, t.Key = c.TLS.Cert, c.TLS.Key
	}
	return t
}

// sentinelDialer is the library's only dialer for both Sentinels and the server. It assumes
// that it dials a Sentinel; [toServer] corrects that.
type sentinelDialer struct {
	tls     *tls.Config
	timeout time.Duration
}

// sentinelConn speaks to a Sentinel, over the raw connection below it.
type sentinelConn struct {
	net.Conn
	raw  net.Conn
	addr string
}

func (d sentinelDialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	raw, err := dialer{timeout: d.timeout}.connect(ctx, address{network, addr})
	if err != nil {
		return nil, &dialError{err}
	}
	if d.tls == nil {
		return &sentinelConn{raw, raw, addr}, nil
	}
	config, err := forHost(d.tls, addr)
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return &sentinelConn{tls.Client(raw, config), raw, addr}, nil // shakes hands when it is used
}

// toServer is a hook of the server's client: it marks connections to the server, and errors
// before that as Sentinel's.
type toServer struct{ tls *tls.Config }

// DialHook turns the connection into one with the server's TLS.
func (h toServer) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		// The library returns the dialer's error as it is for the server alone.
		if failed, ofServer := err.(*dialError); ofServer { //nolint:errorlint // a wrapped one is a Sentinel's
			return nil, failed.err
		}
		if err != nil {
			return nil, &sentinelError{err}
		}
		s, ok := conn.(*sentinelConn)
		if !ok || h.tls == nil {
			return conn, nil
		}
		config, err := forHost(h.tls, s.addr)
		if err != nil {
			_ = conn.Close()
			return nil, err
		}
		server := tls.Client(s.raw, config)
		if err := server.HandshakeContext(ctx); err != nil {
			_ = s.raw.Close()
			return nil, err
		}
		return server, nil
	}
}

// ProcessHook changes nothing.
func (toServer) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook changes nothing.
func (toServer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// forHost verifies a certificate for the host of addr, unless another name is configured.
func forHost(config *tls.Config, addr string) (*tls.Config, error) {
	if config.ServerName != "" {
		return config, nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	config = config.Clone()
	config.ServerName = host
	return config, nil
}

// dialError says that no connection to a Sentinel or the server was possible.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// sentinelError is an error of the search for the server through Sentinels.
type sentinelError struct{ err error }

func (e *sentinelError) Error() string { return e.err.Error() }
func (e *sentinelError) Unwrap() error { return e.err }

// IsSentinel reports whether an error comes from Sentinels rather than Redis.
func IsSentinel(err error) bool {
	_, ok := errors.AsType[*sentinelError](err)
	return ok
}
