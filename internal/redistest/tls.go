package redistest

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testcert"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// StartTLS runs a redis-server that also speaks TLS, at the address returned, with a
// certificate for 127.0.0.1 or for the hosts given. It wants certificates of its
// clients, as Redis does unless told otherwise.
func StartTLS(tb testing.TB, ca *testcert.Authority, hosts ...string) (s *Server, tlsAddr string) {
	tb.Helper()
	if len(hosts) == 0 {
		hosts = []string{"127.0.0.1"}
	}
	tlsAddr = testenv.FreeAddr(tb)
	return Start(tb, tlsArgs(tb, ca, tlsAddr, hosts...)...), tlsAddr
}

func tlsArgs(tb testing.TB, ca *testcert.Authority, addr string, hosts ...string) []string {
	_, port, _ := net.SplitHostPort(addr)
	cert, key := ca.Issue(tb, hosts...)
	return []string{
		"--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key,
		"--tls-ca-cert-file", ca.CA, "--tls-auth-clients", "yes",
	}
}

// Sentinel says how a Sentinel is guarded.
type Sentinel struct {
	User, Password string              // none: everybody may ask
	TLS            *testcert.Authority // nil: no TLS; else only TLS, with client certificates, to the master too
}

// Start runs a Sentinel that watches the server at addr, master's own or that of its
// TLS, under the name given, and returns the Sentinel's host:port.
func (o Sentinel) Start(tb testing.TB, name string, master *Server, addr string) string {
	tb.Helper()
	host, port, _ := net.SplitHostPort(addr)
	s := &Server{tb: tb, dir: shortTempDir(tb), Addr: testenv.FreeAddr(tb)}
	_, own, _ := net.SplitHostPort(s.Addr)
	lines := []string{
		"bind 127.0.0.1", "dir " + s.dir,
		fmt.Sprintf("sentinel monitor %s %s %s 1", name, host, port),
		fmt.Sprintf("sentinel auth-user %s %s", name, AdminUser),
		fmt.Sprintf("sentinel auth-pass %s %s", name, Password(AdminUser)),
	}
	if o.TLS != nil {
		lines = append(lines, "port 0", "tls-replication yes")
		args := tlsArgs(tb, o.TLS, s.Addr, "127.0.0.1")
		for i := 0; i < len(args); i += 2 {
			lines = append(lines, strings.TrimPrefix(args[i], "--")+" "+args[i+1])
		}
	} else {
		lines = append(lines, "port "+own)
	}
	if o.Password != "" {
		lines = append(lines, "user default off", fmt.Sprintf("user %s on >%s ~* &* +@all", o.User, o.Password))
	}
	conf := s.writeFile("sentinel.conf", strings.Join(lines, "\n")+"\n")
	s.args = []string{master.args[0], conf, "--sentinel"}
	tb.Cleanup(s.Kill)
	if err := s.run("+monitor master"); err != nil {
		tb.Fatalf("start Sentinel: %v", err)
	}
	return s.Addr
}
