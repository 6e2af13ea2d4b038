package wire

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// ArrivalGrace is how long a stop waits for the first request on connections that were
// accepted before. After that time, http.Server.Shutdown considers them idle.
const ArrivalGrace = 5 * time.Second

// Arrivals are the connections whose first request has not been read. Shutdown would close
// such a connection without an answer when its request arrives (net/http, conn.serve), so a
// stop waits for them first.
type Arrivals struct {
	n     atomic.Int64
	conns sync.Map // of net.Conn
}

// Track is the http.Server's ConnState. It is called several times per request, and does
// almost nothing for connections that are not new.
func (a *Arrivals) Track(conn net.Conn, state http.ConnState) {
	if state == http.StateNew {
		a.conns.Store(conn, nil)
		a.n.Add(1)
		return
	}
	if a.n.Load() == 0 {
		return
	}
	if _, isNew := a.conns.LoadAndDelete(conn); isNew {
		a.n.Add(-1)
	}
}

// Wait returns when every connection has sent a request, or when the grace period or ctx
// ends.
func (a *Arrivals) Wait(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, ArrivalGrace)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for a.n.Load() > 0 {
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}
