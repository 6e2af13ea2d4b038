package testenv

import (
	"net"
	"testing"
)

// ServeConnections accepts connections on a port of this host until the test ends, and returns
// its address. Each is closed when handle returns; one that is to hang waits for tb's context.
func ServeConnections(tb testing.TB, handle func(net.Conn)) (addr string) {
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
			go func() {
				defer func() { _ = conn.Close() }()
				handle(conn)
			}()
		}
	}()
	return listener.Addr().String()
}
