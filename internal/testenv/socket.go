package testenv

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// ServeSocket serves on a unix socket until the test ends, and returns its path.
func ServeSocket(tb testing.TB, handler http.Handler) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "socket") // not tb.TempDir: paths of unix sockets must be short
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	server := httptest.NewUnstartedServer(handler)
	if server.Listener, err = net.Listen("unix", socket); err != nil {
		tb.Fatal(err)
	}
	server.Start()
	tb.Cleanup(server.Close)
	return socket
}
