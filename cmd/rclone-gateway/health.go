package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// healthTimeout bounds the requests of health.
const healthTimeout = 5 * time.Second

func newHealth() *cobra.Command {
	var s settings
	var live bool
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask the gateway that runs with these settings whether it is ready",
		Long: `Ask the gateway that runs with these settings whether it is ready: whether it
serves, and serves what Redis says now. It is asked where --addr says, at a unix
socket rather than at a port, and on the loopback interface where it listens on
all of them. Without a word the exit status 0 says yes; else one line says why not.

It is the health check of the container image.
` + exitStatus,
		Example: `  rclone-gateway health
  rclone-gateway health --live && echo "it serves, with Redis or without"
  GATEWAY_ADDR=unix:/run/rclone-gateway.sock rclone-gateway health`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.complete(cmd.Flags(), os.LookupEnv); err != nil {
				return usageError(err)
			}
			path := "/-/ready"
			if live {
				path = "/-/healthy"
			}
			return checkHealth(cmd.Context(), &s, path)
		},
	}
	s.registerAddresses(cmd.Flags())
	cmd.Flags().BoolVar(&live, "live", false, "ask only whether it serves at all, with Redis or without")
	return cmd
}

func checkHealth(ctx context.Context, s *settings, path string) error {
	if err := s.checkAddresses(); err != nil {
		return usageError(err)
	}
	addr, err := addressToAsk(s.addrs)
	if err != nil {
		return usageError(err)
	}
	server, err := s.tls()
	if err != nil {
		return usageError(err)
	}
	p, err := newProber(addr, server)
	if err != nil {
		return usageError(err)
	}
	return p.ask(ctx, path)
}

// addressToAsk prefers a unix socket, which never uses TLS.
func addressToAsk(addrs []string) (string, error) {
	for _, addr := range addrs {
		if strings.HasPrefix(addr, "unix:") {
			return addr, nil
		}
	}
	if len(addrs) == 0 {
		return "", errors.New("--addr: names no address to ask")
	}
	return addrs[0], nil
}

// prober sends health requests to a gateway on this host.
type prober struct {
	name   string // the gateway's address, for errors
	client *http.Client
	scheme string
}

// newProber takes an address in the form of --addr, and the TLS settings of the server
// there, if any.
func newProber(addr string, server *tls.Config) (*prober, error) {
	network, targets, err := dialTargets(addr)
	if err != nil {
		return nil, err
	}
	p := &prober{name: addr, scheme: "http"}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
			var dialer net.Dialer
			for _, target := range targets {
				if conn, err = dialer.DialContext(ctx, network, target); err == nil {
					return conn, nil
				}
			}
			return nil, err
		},
	}
	if server != nil && network != "unix" {
		p.scheme = "https"
		transport.TLSClientConfig = &tls.Config{
			// The certificate names no loopback address, and may have been renewed since
			// the server started. The request holds no secret.
			InsecureSkipVerify: true,
			Certificates:       server.Certificates,
		}
	}
	p.client = &http.Client{Transport: transport, Timeout: healthTimeout}
	return p, nil
}

// dialTargets returns addresses of this host for a gateway that listens on addr. The first
// that answers is used.
func dialTargets(addr string) (network string, targets []string, err error) {
	if path, unix := strings.CutPrefix(addr, "unix:"); unix {
		return "unix", []string{path}, nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", nil, fmt.Errorf("--addr %s: %w", addr, err)
	}
	if port == "0" || port == "" {
		return "", nil, fmt.Errorf("--addr %s: the port is not known: name one", addr)
	}
	hosts := []string{host}
	switch ip, err := netip.ParseAddr(host); {
	case host == "", err == nil && ip == netip.IPv6Unspecified():
		hosts = []string{"::1", "127.0.0.1"}
	case err == nil && ip == netip.IPv4Unspecified():
		hosts = []string{"127.0.0.1"}
	}
	for _, host := range hosts {
		targets = append(targets, net.JoinHostPort(host, port))
	}
	return "tcp", targets, nil
}

// ask returns nil if the path answers 200.
func (p *prober) ask(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.scheme+"://gateway"+path, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return p.explain(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return p.explain(err)
	}
	if resp.StatusCode != http.StatusOK {
		line, _, _ := strings.Cut(strings.TrimSpace(string(answer)), "\n")
		return fmt.Errorf("%s answers %d: %s", p.name, resp.StatusCode, line)
	}
	return nil
}

// errCertificate says that the gateway runs, but wants a client certificate.
var errCertificate = errors.New("the gateway there does not take --tls-cert for a client's certificate: let it listen on a unix socket too (--addr unix:/path)")

func (p *prober) explain(err error) error {
	if operation, ok := errors.AsType[*net.OpError](err); ok && operation.Op == "remote error" {
		return fmt.Errorf("%s: %w", p.name, errCertificate)
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return fmt.Errorf("%s: no answer within %v", p.name, p.client.Timeout)
	}
	if operation, ok := errors.AsType[*net.OpError](err); ok && operation.Op == "dial" {
		return fmt.Errorf("%s: no gateway listens there: %w", p.name, operation.Err)
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("%s: what listens there does not speak HTTP: it is another program, or the gateway is ending", p.name)
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("%s: answers without TLS: the gateway there runs without --tls-cert", p.name)
	}
	if request, ok := errors.AsType[*url.Error](err); ok {
		err = request.Err // the URL differs from the one that the user knows
	}
	return fmt.Errorf("%s: %w", p.name, err)
}
