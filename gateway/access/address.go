package access

import (
	"net"
	"net/netip"

	"github.com/rclone-gateway/rclone-gateway/gateway/live"
)

// Allows reports whether a caller at that address may talk to the gateway: it is on this
// host (a unix socket has no address that parses as an IP), in the cluster's network, or in
// a network that the administrator configured.
func (g *Gate) Allows(v *live.View, remoteAddr string) bool {
	remote, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return isUnixPeer(remoteAddr)
	}
	addr := remote.Addr().Unmap()
	if addr.IsLoopback() || v != nil && v.Snapshot.Network.Contains(addr) {
		return true
	}
	for _, network := range g.AllowFrom {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// IsLocal reports whether a caller is on this host: on the loopback interface or a unix
// socket.
func IsLocal(remoteAddr string) bool {
	remote, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return isUnixPeer(remoteAddr)
	}
	return remote.Addr().Unmap().IsLoopback()
}

// isUnixPeer reports whether net/http reports the address for the client of a unix socket:
// nothing, an abstract name or a path.
func isUnixPeer(remoteAddr string) bool {
	return remoteAddr == "" || remoteAddr[0] == '@' || remoteAddr[0] == '/'
}

// HostOf returns the address of a caller without the port.
func HostOf(remoteAddr string) string {
	if host, _, err := net.SplitHostPort(remoteAddr); err == nil {
		return host
	}
	return "a unix socket of this host"
}
