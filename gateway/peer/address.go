package peer

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/live"
)

// lookInterval is the time between checks of the node's own address.
const lookInterval = time.Second

// Listening configures Listen.
type Listening struct {
	NodeID string
	Port   uint16
	// Latest returns the present view; nil before the first.
	Latest func() *live.View
	// Serve serves a listener until it is closed.
	Serve func(net.Listener)
	Log   *slog.Logger
}

// Listen keeps a listener on this node's VPN address in Redis, as the address appears,
// changes and disappears, until ctx ends.
func Listen(ctx context.Context, opts Listening) {
	var now netip.Addr
	var listener net.Listener
	failed := false
	leave := func() {
		if listener != nil {
			_ = listener.Close() // nothing was written to it
			listener = nil
		}
	}
	defer leave()
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		if addr, known := ownAddress(opts); known && (addr != now || listener == nil) {
			if addr != now {
				leave()
				now, failed = addr, false
			}
			if addr.IsValid() {
				listener, failed = opts.open(ctx, addr, failed)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// open listens, and logs the first of a series of failures.
func (o Listening) open(ctx context.Context, addr netip.Addr, failedBefore bool) (listener net.Listener, failed bool) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", netip.AddrPortFrom(addr, o.Port).String())
	if err != nil {
		if !failedBefore && ctx.Err() == nil {
			o.Log.Warn("cannot listen on the node's address in the cluster, trying again", "addr", addr, "err", err,
				"hint", "check that the VPN's interface is up with that address, and that no other program has the port")
		}
		return nil, true
	}
	o.Log.Info("listening for the cluster", "addr", listener.Addr().String())
	go o.Serve(listener)
	return listener, false
}

// ownAddress returns this node's address in the cluster's network; an invalid one if it has
// none. known is false until Redis has been read.
func ownAddress(opts Listening) (addr netip.Addr, known bool) {
	v := opts.Latest()
	if v == nil {
		return addr, false
	}
	if node := v.Snapshot.Nodes[opts.NodeID]; node != nil {
		addr = node.IPAddress
	}
	if addr.IsLoopback() {
		addr = netip.Addr{} // there is a listener for it already
	}
	return addr, true
}
