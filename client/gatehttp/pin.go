package gatehttp

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Fingerprint is the SHA-256 of a certificate.
type Fingerprint [sha256.Size]byte

// ParseFingerprint parses a fingerprint as openssl and others print it: hexadecimal digits,
// with or without colons.
func ParseFingerprint(text string) (f Fingerprint, err error) {
	digits, err := hex.DecodeString(strings.ReplaceAll(strings.TrimPrefix(strings.ToLower(text), "sha256:"), ":", ""))
	if err != nil || len(digits) != len(f) {
		return f, fmt.Errorf("a SHA-256 fingerprint has %d hexadecimal digits", 2*len(f))
	}
	return Fingerprint(digits), nil
}

func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// ErrPinned says that a server presented no certificate with the fingerprint.
var ErrPinned = errors.New("it presents no certificate with that fingerprint")

// Pinned sends requests only to a server that is authenticated by one certificate, known by
// its fingerprint: the server's own, or that of a CA that the server presents with it.
func Pinned(files Files, host string, pin Fingerprint) (*http.Transport, error) {
	config, err := files.config()
	if err != nil {
		return nil, err
	}
	config.InsecureSkipVerify = true //nolint:gosec // VerifyConnection verifies
	config.VerifyConnection = func(state tls.ConnectionState) error { return verifyPinned(state.PeerCertificates, host, pin) }
	over := defaultTransport()
	over.TLSClientConfig = config
	return over, nil
}

func verifyPinned(presented []*x509.Certificate, host string, pin Fingerprint) error {
	at := slices.IndexFunc(presented, func(c *x509.Certificate) bool { return sha256.Sum256(c.Raw) == pin })
	if at < 0 {
		return ErrPinned
	}
	options := x509.VerifyOptions{DNSName: host, Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
	options.Roots.AddCert(presented[at])
	for _, c := range presented[1:] {
		options.Intermediates.AddCert(c)
	}
	_, err := presented[0].Verify(options)
	return err
}

// Anchor returns the fingerprint by which to pin a server. It is trusted according to
// files, and the one nearest to the CA among the certificates that the server presents.
func Anchor(ctx context.Context, files Files, base *url.URL) (Fingerprint, error) {
	config, err := files.config()
	if err != nil {
		return Fingerprint{}, err
	}
	port := base.Port()
	if port == "" {
		port = "443"
	}
	dialer := tls.Dialer{Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(base.Hostname(), port))
	if err != nil {
		return Fingerprint{}, err
	}
	defer func() { _ = conn.Close() }()
	secure, isTLS := conn.(*tls.Conn)
	if !isTLS {
		return Fingerprint{}, errors.New("the connection is not encrypted")
	}
	state := secure.ConnectionState()
	for _, chain := range state.VerifiedChains {
		for _, c := range slices.Backward(chain) {
			if slices.ContainsFunc(state.PeerCertificates, c.Equal) {
				return sha256.Sum256(c.Raw), nil
			}
		}
	}
	return Fingerprint{}, ErrPinned
}
