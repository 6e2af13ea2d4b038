//go:build !linux

package wire

import "net"

// peerUser fails where the system does not provide the user.
func peerUser(net.Conn) (uid int, known bool) { return 0, false }
