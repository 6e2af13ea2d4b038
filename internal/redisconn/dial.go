package redisconn

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

type address struct{ network, address string }

// parseAddress does not quote the text in its error: it may be a URL with a password.
func parseAddress(s string) (address, error) {
	if path, ok := strings.CutPrefix(s, "unix://"); ok || strings.HasPrefix(s, "/") {
		return address{"unix", path}, nil
	}
	if _, port, err := net.SplitHostPort(s); err != nil || port == "" {
		return address{}, errors.New("an address must be host:port or the path of a unix socket")
	}
	return address{"tcp", s}, nil
}

// dialer connects to the replica, if there is one and it answers, otherwise to the given
// address.
type dialer struct {
	replica address
	tls     *tls.Config
	timeout time.Duration // of one connection, the handshake included
}

func (d dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.replica == (address{}) {
		return d.connect(ctx, address{network, addr})
	}
	conn, errReplica := d.connectReplica(ctx)
	if errReplica == nil {
		return conn, nil
	}
	conn, err := d.connect(ctx, address{network, addr})
	if err != nil {
		return nil, fmt.Errorf("%w (and its replica: %v)", err, errReplica) //nolint:errorlint // one cause is enough to unwrap
	}
	return conn, nil
}

func (d dialer) connectReplica(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, replicaTimeout)
	defer cancel()
	conn, err := d.connect(ctx, d.replica)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	if err := ping(conn, deadline); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func (d dialer) connect(ctx context.Context, a address) (net.Conn, error) {
	network := net.Dialer{Timeout: d.timeout, KeepAlive: 30 * time.Second}
	if d.tls == nil || a.network == "unix" {
		return network.DialContext(ctx, a.network, a.address)
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	return (&tls.Dialer{NetDialer: &network, Config: d.tls}).DialContext(ctx, a.network, a.address)
}

// ping reports whether the server is ready for reading. One that hangs accepts connections
// too, and one that loads its data or lost its master refuses even this command. A demand
// for a login counts as ready.
func ping(conn net.Conn, deadline time.Time) error {
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	// Nothing follows this one line, so the buffer swallows nothing.
	line, err := bufio.NewReaderSize(conn, 128).ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("no answer to PING: %w", err)
	}
	for _, ready := range []string{"+PONG", "-NOAUTH", "-NOPERM"} {
		if strings.HasPrefix(string(line), ready) {
			return conn.SetDeadline(time.Time{})
		}
	}
	return fmt.Errorf("PING was answered %q", line)
}
