package gateway

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// arrivalGrace is how long a stop waits for the first request of connections that
// were accepted before it. http.Server.Shutdown takes them for idle after as long.
const arrivalGrace = 5 * time.Second

// arrivals are the connections whose first request has not been read. Shutdown
// closes such a connection when its request comes, without an answer (net/http,
// conn.serve), so a stop waits for them first.
type arrivals struct {
	n     atomic.Int64
	conns sync.Map // of net.Conn
}

// track is the http.Server's ConnState. It is called several times for each
// request, and does next to nothing where no connection is new.
func (a *arrivals) track(conn net.Conn, state http.ConnState) {
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

// wait returns when every connection has sent a request, or when the grace or ctx
// ends.
func (a *arrivals) wait(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, arrivalGrace)
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

// drain lets the requests under way finish until ctx ends, and cuts them then.
func (g *Gateway) drain(ctx context.Context) error {
	for _, listener := range g.opts.Listeners {
		_ = listener.Close() // nothing was written to it
	}
	g.listening.Wait()
	g.server.SetKeepAlivesEnabled(false)
	g.arrivals.wait(ctx)
	err := g.server.Shutdown(ctx)
	if err != nil {
		_ = g.server.Close() // cuts what is left; its error adds nothing
	}
	return err
}
