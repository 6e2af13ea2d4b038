package docs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/internal/b2test"
	"github.com/rclone-gateway/rclone-gateway/internal/googletest"
	"github.com/rclone-gateway/rclone-gateway/internal/mailtest"
)

// The world of a page is what stands for the rest of the internet: the names that the
// text uses, in a hosts file, and certificates for them of an authority that only the
// page's programs trust. Each name has an address of its own, so that the servers behind
// them have the ports that they have in life.

// worldVariable names the directory with the world's files: hosts, ca.pem, cert.pem and
// key.pem.
const worldVariable = "WORLD"

// hosts are the world's names, by address.
var hosts = map[string][]string{
	"127.0.2.1": {
		"s3.amazonaws.com", "s3.eu-south-1.amazonaws.com", "s3.dualstack.eu-south-1.amazonaws.com",
		"my-bucket.s3.eu-south-1.amazonaws.com", "my-bucket.s3.dualstack.eu-south-1.amazonaws.com", "my-bucket.s3.amazonaws.com",
	},
	"127.0.2.2":   {"myaccount.blob.core.windows.net"},
	b2Address:     b2test.Hosts,
	googleAddress: googletest.Hosts,
	"127.0.2.5":   {"nas.example.org"},
	"127.0.2.6":   {"cloud.example.org"},
	"127.0.2.7":   {"ftp.example.org"},
	"127.0.2.9":   {"gateway.example.org"},
	tellAddress:   {"smtp.example.org", "chat.example.org", "ntfy.sh", "hc-ping.com"},
}

const (
	b2Address     = "127.0.2.3"
	googleAddress = "127.0.2.4"
	// tellAddress takes mail, and all that is sent to it.
	tellAddress = "127.0.2.8"
)

// services are those of which no program exists to run.
func services() map[string]http.Handler {
	return map[string]http.Handler{
		b2Address:     b2test.New(b2test.Account{KeyID: "0012a34b56c78d90000000001", Key: "K001+test/secret", Bucket: "my-bucket"}),
		googleAddress: googletest.New(),
		tellAddress:   http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
	}
}

// makeWorld writes the world's files.
func makeWorld(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { //nolint:gosec // servers get through as other users
		t.Fatal(err)
	}
	var names []string
	var table strings.Builder
	table.WriteString("127.0.0.1 localhost\n::1 localhost\n")
	for address, of := range hosts {
		names = append(names, of...)
		fmt.Fprintf(&table, "%s %s\n", address, strings.Join(of, " "))
	}
	slices.Sort(names)
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil { //nolint:gosec // as above
			t.Fatal(err)
		}
	}
	write("hosts", table.String())

	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: names[0]}, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		DNSNames: names, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	authorityKey, serverKey := newKey(t), newKey(t)
	encoded := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, &authorityKey.PublicKey, authorityKey)
	write("ca.pem", encoded("CERTIFICATE", der, err))
	der, err = x509.CreateCertificate(rand.Reader, server, authority, &serverKey.PublicKey, authorityKey)
	write("cert.pem", encoded("CERTIFICATE", der, err))
	der, err = x509.MarshalPKCS8PrivateKey(serverKey)
	write("key.pem", encoded("PRIVATE KEY", der, err))
	return dir
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// enterWorld gives this process and those that it starts the world's names, and runs its
// services. It is for a process that has a network and mounts of its own.
func enterWorld(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts private: %w", err)
	}
	if err := unix.Mount(filepath.Join(dir, "hosts"), "/etc/hosts", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount the hosts file: %w", err)
	}
	certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		return err
	}
	for address, service := range services() {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, "443"))
		if err != nil {
			return err
		}
		server := &http.Server{
			Handler: service, ReadHeaderTimeout: time.Minute,
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		}
		go func() { _ = server.ServeTLS(listener, "", "") }()
	}
	submission, err := net.Listen("tcp", net.JoinHostPort(tellAddress, "587"))
	if err != nil {
		return err
	}
	go func() {
		_ = mailtest.Serve(submission, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, "backup@example.org", "password-of-the-mailbox")
	}()
	return os.Setenv("SSL_CERT_FILE", filepath.Join(dir, "ca.pem"))
}
