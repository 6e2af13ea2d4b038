package floor

import (
	"context"
	"io"
	"net"
	"sync"
)

// Relay passes each connection on to another address until ctx ends.
func Relay(ctx context.Context, listen, to string) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	for {
		from, err := listener.Accept()
		if err != nil {
			return ctx.Err()
		}
		go relay(ctx, from, to)
	}
}

func relay(ctx context.Context, from net.Conn, address string) {
	defer from.Close()
	var dialer net.Dialer
	to, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer to.Close()
	var ways sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		ways.Go(func() {
			_, _ = io.Copy(way[1], way[0]) // the kernel does it, between two sockets
			_ = way[1].(*net.TCPConn).CloseWrite()
		})
	}
	ways.Wait()
}
