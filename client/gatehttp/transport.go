// Package gatehttp reaches the gateway in the same ways as restic: with a private CA, with
// a client certificate, over a unix socket.
package gatehttp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
)

// Files are restic's TLS files, named as its environment variables.
type Files struct {
	// CACerts (RESTIC_CACERT) are files of PEM certificates that replace the system's.
	CACerts []string
	// ClientCert (RESTIC_TLS_CLIENT_CERT) is a file with a certificate and its key.
	ClientCert string
}

// socketScheme begins the URL of a gateway on a unix socket. The socket's path, a colon and
// the path of the request follow.
const socketScheme = "http+unix"

// IsSocket reports whether a gateway's URL names a unix socket.
func IsSocket(base string) bool { return strings.HasPrefix(base, socketScheme+":") }

// Base returns a gateway's URL in the form to which paths are appended after a slash.
func Base(base string) string {
	base = strings.TrimRight(base, "/")
	if rest, ok := strings.CutPrefix(base, socketScheme+"://"); ok && !strings.Contains(rest, ":") {
		return base + ":"
	}
	return base
}

// Socket returns the path of the socket in a gateway's URL, "" if it names none.
func Socket(base string) string {
	if !IsSocket(base) {
		return ""
	}
	path, _, _ := strings.Cut(strings.TrimPrefix(base, socketScheme+"://"), ":")
	return path
}

// Transport returns a transport to gateways. Unreadable files become the error of the first
// request over TLS.
func Transport(files Files) http.RoundTripper {
	return &transport{files: files, sockets: map[string]*http.Transport{}}
}

type transport struct {
	files   Files
	mu      sync.Mutex
	network *http.Transport
	sockets map[string]*http.Transport // by path
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Scheme != socketScheme {
		over, err := t.overNetwork()
		if err != nil {
			return nil, err
		}
		return over.RoundTrip(request)
	}
	socket, path, ok := strings.Cut(request.URL.Path, ":")
	if !ok || request.URL.Host != "" {
		return nil, errors.New("it must have the form http+unix:///path/of/socket:/")
	}
	request = request.Clone(request.Context())
	request.URL = &url.URL{Scheme: "http", Host: "localhost", Path: path, RawQuery: request.URL.RawQuery}
	return t.overSocket(socket).RoundTrip(request)
}

func (t *transport) overSocket(path string) *http.Transport {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sockets[path] == nil {
		over := defaultTransport()
		over.Proxy = nil
		over.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", path)
		}
		t.sockets[path] = over
	}
	return t.sockets[path]
}

func (t *transport) overNetwork() (*http.Transport, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.network != nil {
		return t.network, nil
	}
	config, err := t.files.config()
	if err != nil {
		return nil, err
	}
	t.network = defaultTransport()
	t.network.TLSClientConfig = config
	return t.network, nil
}

func defaultTransport() *http.Transport {
	if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		return standard.Clone()
	}
	return &http.Transport{Proxy: http.ProxyFromEnvironment}
}

func (f Files) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(f.CACerts) > 0 {
		config.RootCAs = x509.NewCertPool()
	}
	for _, name := range f.CACerts {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("RESTIC_CACERT: %w", err)
		}
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("RESTIC_CACERT: no PEM certificate in %s", name)
		}
	}
	if f.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(f.ClientCert, f.ClientCert)
		if err != nil {
			return nil, fmt.Errorf("RESTIC_TLS_CLIENT_CERT must name a file with a certificate and its key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// Advice says which setting is missing after a request failed; "" if none is.
func (f Files) Advice(err error) string {
	if operation, ok := errors.AsType[*net.OpError](err); ok && operation.Op == "remote error" {
		if f.ClientCert == "" {
			return "it wants a client certificate: name a file with the certificate and its key by RESTIC_TLS_CLIENT_CERT"
		}
		return "it does not accept the certificate of RESTIC_TLS_CLIENT_CERT"
	}
	if _, untrusted := errors.AsType[x509.UnknownAuthorityError](err); untrusted && len(f.CACerts) == 0 {
		return "its certificate is signed by a CA that this system does not know: name the CA's file by RESTIC_CACERT"
	} else if untrusted {
		return "its certificate is not signed by a CA in RESTIC_CACERT"
	}
	if host, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("its certificate is not for %s", host.Host)
	}
	return ""
}
