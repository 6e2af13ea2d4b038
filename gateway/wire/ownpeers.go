package wire

import (
	"net"
	"os"
)

// OwnPeers accepts connections of processes of this process's user and of root, according
// to the kernel.
type OwnPeers struct{ net.Listener }

// Accept implements net.Listener.
func (l OwnPeers) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, known := peerUser(conn); known && (uid == 0 || uid == os.Geteuid()) {
			return conn, nil
		}
		_ = conn.Close() // another user
	}
}
