package redisconn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS says how to trust a server, and how to authenticate to it. Any setting enables it.
type TLS struct {
	Enabled bool
	// CA is a file of PEM certificates that replaces the system's.
	CA string
	// Cert and Key are files of the client certificate. They are read for each connection,
	// so that renewed ones are used.
	Cert, Key string
	// ServerName is the name in the server's certificate, if it differs from the host of
	// its address.
	ServerName string
}

// On reports whether TLS is enabled.
func (t TLS) On() bool {
	return t.Enabled || t.CA != "" || t.Cert != "" || t.Key != "" || t.ServerName != ""
}

// config returns nil if TLS is disabled. The dialer sets the host's name. Errors name the
// options by their prefix, "--redis".
func (t TLS) config(option string, skipVerify bool) (*tls.Config, error) {
	if !t.On() {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName, InsecureSkipVerify: skipVerify}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("%s-ca: %w", option, err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s-ca: no PEM certificate in %s", option, t.CA)
		}
	}
	if t.Cert == "" && t.Key == "" {
		return config, nil
	}
	if t.Cert == "" || t.Key == "" {
		return nil, fmt.Errorf("%s-cert, %[1]s-key: a client certificate needs both, and one is not given", option)
	}
	load := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("%s-cert, %[1]s-key: %w", option, err)
		}
		return &pair, nil
	}
	if _, err := load(nil); err != nil {
		return nil, err
	}
	config.GetClientCertificate = load
	return config, nil
}

// isUntrusted reports whether a server's certificate is signed by an unknown CA.
func isUntrusted(err error) bool {
	_, ok := errors.AsType[x509.UnknownAuthorityError](err)
	return ok
}
