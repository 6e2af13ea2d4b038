package client

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testcert"
)

// TestTheGatewayIsReachedTheWaysThatResticKnows backs up through a gateway with a
// private CA that wants client certificates, and through one on a unix socket.
func TestTheGatewayIsReachedTheWaysThatResticKnows(t *testing.T) {
	server := redistest.Start(t)
	server.SetupNS8()
	server.AddDestinations(redistest.Destination{ID: realDestination, Name: "d", Provider: "backblaze", URL: "b2:bucket"})
	server.AddModules(redistest.Module{ID: "mymodule1", UUID: scriptUUID})
	server.AddSchedule(redistest.Schedule{ID: "1", Repository: realDestination, Name: "nightly", Instances: []string{"mymodule1"}})
	server.Do("RPUSH", "module/mymodule1/mykey", "a")
	ca := testcert.New(t)
	both := certificateAndKey(t, ca)
	secure := startSecureGateway(t, ca)
	socket := startSocketGateway(t)

	resticVersions(t, func(t *testing.T, version string) {
		m := realModule{"mymodule1", scriptUUID, t.TempDir(), server}
		m.become(t, secure)
		write(t, filepath.Join(m.volume(), "file"), "content", 0o644)
		t.Run("no CA", func(t *testing.T) {
			call(t, "", "module-backup", "1").fail(t, exit.Unreachable, "RESTIC_CACERT")
		})
		t.Run("no client certificate", func(t *testing.T) {
			t.Setenv("RESTIC_CACERT", ca.CA)
			call(t, "", "module-backup", "1").fail(t, exit.Unreachable, "RESTIC_TLS_CLIENT_CERT")
		})
		t.Run("both", func(t *testing.T) {
			t.Setenv("RESTIC_CACERT", ca.CA)
			t.Setenv("RESTIC_TLS_CLIENT_CERT", both)
			call(t, "", "module-backup", "1").succeed(t)
		})
		t.Run("a unix socket", func(t *testing.T) {
			t.Setenv("NS8_GATEWAY_URL", "http+unix://"+socket)
			got := call(t, "", "module-backup", "1")
			if v, err := restic.ParseVersion("restic " + version); err != nil || !v.Has(host.SocketVersion) {
				got.fail(t, exit.Usage, "unix sockets need restic 0.17 or newer")
				return
			}
			got.succeed(t)
			mustDo(t, os.Remove(filepath.Join(m.volume(), "file")))
			request := `{"repository":"` + realDestination + `","path":"mymodule/` + scriptUUID + `","snapshot":"","environment":{},"replace":false}`
			call(t, request, "restore-module", "--path", "volumes/data/file").succeed(t)
			if data, err := os.ReadFile(filepath.Join(m.volume(), "file")); string(data) != "content" {
				t.Errorf("restored %q, %v", data, err)
			}
		})
	})
}

// certificateAndKey is one file with both, as restic takes it.
func certificateAndKey(t *testing.T, ca *testcert.Authority) string {
	t.Helper()
	cert, key := ca.Issue(t)
	var both []byte
	for _, name := range []string{cert, key} {
		data, err := os.ReadFile(name)
		mustDo(t, err)
		both = append(both, data...)
	}
	file := filepath.Join(t.TempDir(), "client.pem")
	mustDo(t, os.WriteFile(file, both, 0o600))
	return file
}

func startSecureGateway(t *testing.T, ca *testcert.Authority) string {
	t.Helper()
	cert, key := ca.Issue(t, "127.0.0.1")
	pair, err := tls.LoadX509KeyPair(cert, key)
	mustDo(t, err)
	pem, err := os.ReadFile(ca.CA)
	mustDo(t, err)
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(pem)
	server := httptest.NewUnstartedServer(gatewayHandler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func startSocketGateway(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gw") // short enough for a socket
	mustDo(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	mustDo(t, err)
	server := &http.Server{Handler: gatewayHandler()}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return socket
}
