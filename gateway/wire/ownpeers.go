package wire

import (
	"net"
	"os"
)

// OwnPeers accepts connections of processes of this process's user, and of root, as the
// kernel knows them.
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
		_ = conn.Close() // whoever it is has no business here
	}
}
