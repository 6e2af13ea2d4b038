package redistest

import (
	"net"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// StartProtected runs what answers as a Redis in protected mode does to another host,
// which no caller of a test is: it says why before it is asked, and hangs up. It
// returns its address.
func StartProtected(tb testing.TB) (addr string) {
	tb.Helper()
	return testenv.ServeConnections(tb, func(conn net.Conn) {
		_, _ = conn.Write([]byte("-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user.\r\n"))
	})
}
