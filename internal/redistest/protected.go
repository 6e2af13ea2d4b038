package redistest

import (
	"net"
	"testing"
)

// StartProtected runs what answers as a Redis in protected mode does to another host,
// which no caller of a test is: it says why before it is asked, and hangs up. It
// returns its address.
func StartProtected(tb testing.TB) (addr string) {
	tb.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user.\r\n"))
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}
