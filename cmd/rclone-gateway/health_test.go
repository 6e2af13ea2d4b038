package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

func TestWhereAGatewayIsReached(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string][]string{
		"127.0.0.1:4694":          {"tcp", "127.0.0.1:4694"},
		"localhost:4694":          {"tcp", "localhost:4694"},
		"10.5.4.1:4694":           {"tcp", "10.5.4.1:4694"},
		"0.0.0.0:4694":            {"tcp", "127.0.0.1:4694"},
		"[::]:4694":               {"tcp", "[::1]:4694", "127.0.0.1:4694"},
		":4694":                   {"tcp", "[::1]:4694", "127.0.0.1:4694"},
		"[2001:db8::1]:4694":      {"tcp", "[2001:db8::1]:4694"},
		"unix:/run/gateway.sock":  {"unix", "/run/gateway.sock"},
		"unix:@abstract":          {"unix", "@abstract"},
		"127.0.0.1:0":             nil,
		"127.0.0.1":               nil,
		"127.0.0.1:":              nil,
		"http://127.0.0.1:4694/x": nil,
	} {
		network, targets, err := dialTargets(addr)
		if want == nil {
			if err == nil || !strings.Contains(err.Error(), "--addr "+addr) {
				t.Errorf("%s: %v, want an error that names it", addr, err)
			}
			continue
		}
		if got := append([]string{network}, targets...); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", addr, got, err, want)
		}
	}
}

func TestASocketIsAskedRatherThanAPort(t *testing.T) {
	t.Parallel()
	for want, addrs := range map[string][]string{
		"127.0.0.1:1": {"127.0.0.1:1", "127.0.0.1:2"},
		"unix:/a":     {"127.0.0.1:1", "unix:/a", "unix:/b"},
	} {
		if got, err := addressToAsk(addrs); err != nil || got != want {
			t.Errorf("%q: %s, %v", addrs, got, err)
		}
	}
	if _, err := addressToAsk(nil); err == nil {
		t.Error("no address is one")
	}
}

// answering is a gateway that answers with a status, on a listener.
func answering(t *testing.T, listener net.Listener, status int, config *tls.Config) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/-/ready" {
			status = http.StatusTeapot
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("what it says\nand more\n"))
	}))
	_ = server.Listener.Close()
	server.Listener = listener
	server.Config.ErrorLog = nil
	if config != nil {
		server.TLS = config
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
}

func listenOn(t *testing.T, network, addr string) net.Listener {
	t.Helper()
	listener, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

func askAt(t *testing.T, addr string, server *tls.Config) error {
	t.Helper()
	p, err := newProber(addr, server)
	if err != nil {
		t.Fatal(err)
	}
	return p.ask(t.Context(), "/-/ready")
}

func TestHealthIsWhatTheGatewaySays(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{200: "", 503: "answers 503: what it says", 404: "answers 404: what it says"} {
		listener := listenOn(t, "tcp", "127.0.0.1:0")
		answering(t, listener, status, nil)
		err := askAt(t, listener.Addr().String(), nil)
		if (err == nil) != (want == "") || err != nil && (!strings.HasSuffix(err.Error(), want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestHealthOfAGatewayOnAllInterfaces(t *testing.T) {
	t.Parallel()
	listener := listenOn(t, "tcp4", "0.0.0.0:0")
	answering(t, listener, http.StatusOK, nil)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for _, addr := range []string{"0.0.0.0:" + port, ":" + port, "[::]:" + port} {
		if err := askAt(t, addr, nil); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestHealthOverASocketNeedsNoTLS(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "gw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	answering(t, listenOn(t, "unix", path), http.StatusOK, nil)
	if err := askAt(t, "unix:"+path, &tls.Config{}); err != nil {
		t.Error(err)
	}
}

func TestHealthOverTLS(t *testing.T) {
	t.Parallel()
	listener := listenOn(t, "tcp", "127.0.0.1:0")
	server := &tls.Config{}
	answering(t, listener, http.StatusOK, server)
	if err := askAt(t, listener.Addr().String(), server); err != nil {
		t.Error(err)
	}
	if err := askAt(t, listener.Addr().String(), nil); err == nil {
		t.Error("TLS is not spoken, and nobody minds")
	}
	plain := listenOn(t, "tcp", "127.0.0.1:0")
	answering(t, plain, http.StatusOK, nil)
	if err := askAt(t, plain.Addr().String(), server); err == nil || !strings.Contains(err.Error(), "answers without TLS") {
		t.Errorf("a gateway without TLS: %v", err)
	}
}

func TestHealthOfAnotherProgram(t *testing.T) {
	t.Parallel()
	listener := listenOn(t, "tcp", "127.0.0.1:0")
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			// It reads, so that its farewell is no reset.
			_, _ = conn.Read(make([]byte, 1<<10))
			_ = conn.Close()
		}
	}()
	if err := askAt(t, listener.Addr().String(), nil); err == nil || !strings.Contains(err.Error(), "does not speak HTTP") {
		t.Errorf("%v", err)
	}
}

func TestHealthWhereClientCertificatesAreDemanded(t *testing.T) {
	t.Parallel()
	listener := listenOn(t, "tcp", "127.0.0.1:0")
	answering(t, listener, http.StatusOK, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()})
	if err := askAt(t, listener.Addr().String(), &tls.Config{}); !errors.Is(err, errCertificate) {
		t.Errorf("%v", err)
	}
	if !answers(t.Context(), []net.Listener{listener}, &tls.Config{}) {
		t.Error("who refuses a certificate does not answer")
	}
}

func TestHealthOfNobody(t *testing.T) {
	t.Parallel()
	err := askAt(t, testenv.FreeAddr(t), nil)
	if err == nil || !strings.Contains(err.Error(), "no gateway listens there") {
		t.Errorf("%v", err)
	}
}

func TestHealthOfAGatewayThatHangs(t *testing.T) {
	t.Parallel()
	listener := listenOn(t, "tcp", "127.0.0.1:0") // the kernel connects; nobody accepts
	p, err := newProber(listener.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	p.client.Timeout = 50 * time.Millisecond
	if err := p.ask(t.Context(), "/-/ready"); err == nil || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Errorf("%v", err)
	}
}

// TestTheWatchdogIsFedOnlyWhileTheGatewayAnswers lets a real server answer, fail,
// break off, and come back: systemd hears of exactly the answers.
func TestTheWatchdogIsFedOnlyWhileTheGatewayAnswers(t *testing.T) {
	dir, err := os.MkdirTemp("", "gw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = systemd.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "2000")

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	answer := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	breakOff := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	hang := func(_ http.ResponseWriter, r *http.Request) { stop(); <-r.Context().Done() }
	script := make(chan http.HandlerFunc, 10)
	for _, next := range []http.HandlerFunc{
		answer(200), answer(200), answer(500), breakOff, answer(404), breakOff, answer(200), hang,
	} {
		script <- next
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (<-script)(w, r) }))
	t.Cleanup(server.Close)

	watchdog(ctx, func(ctx context.Context) bool { return answers(ctx, []net.Listener{server.Listener}, nil) })
	notify("END")
	var heard []string
	buf := make([]byte, 4096)
	for {
		if err := systemd.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := systemd.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if string(buf[:n]) == "END" {
			break
		}
		heard = append(heard, string(buf[:n]))
	}
	if want := []string{"WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"}; !slices.Equal(heard, want) {
		t.Errorf("systemd heard %q, want %q", heard, want)
	}
}

func TestWithoutAWatchdogNobodyIsAsked(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "")
	watchdog(t.Context(), func(context.Context) bool { t.Error("asked"); return true }) // returns at once
}
