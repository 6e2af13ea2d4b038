package wire

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerUser returns the user ID of the process at the other end of a unix socket.
func peerUser(conn net.Conn) (uid int, known bool) {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, false
	}
	err = raw.Control(func(fd uintptr) {
		credentials, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err == nil {
			uid, known = int(credentials.Uid), true
		}
	})
	return uid, known && err == nil
}
