package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/guard"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
)

// Headers between gateways.
const (
	// HeaderHop names the node that forwarded a request, which must not be forwarded again.
	HeaderHop = "X-Rclone-Gateway-Hop"
	// HeaderGateway, in the response to a probe, holds the node's ID: the peer is a gateway
	// of this kind.
	HeaderGateway = "X-Rclone-Gateway"
	// HeaderStorage, in the same response, holds the proof of a local destination.
	HeaderStorage = "X-Rclone-Gateway-Storage"
	// HeaderProven marks a refusal of a forwarded request that does not depend on Redis: on
	// users, grants, destinations.
	HeaderProven = "X-Rclone-Gateway-Proven"
)

// IsHop reports whether another gateway forwarded the request. Forging the header only
// restricts the request.
func IsHop(r *http.Request) bool { return len(r.Header[HeaderHop]) > 0 }

// ProbeName is the path below a destination that NethServer 8's health checks request; they
// expect 404.
const ProbeName = "_probe_rest_404"

// Link is the state of one peer for one destination.
type Link struct {
	Node        string
	destination string
	address     string
	peers       *Peers

	state    guard.Hysteresis
	used     atomic.Int64 // time of the last request that wanted it, in Unix nanoseconds
	answered atomic.Bool  // a probe has ended, or a request has failed
	reached  atomic.Bool  // a probe succeeded
	ours     atomic.Bool  // the peer is a gateway of this kind
	proof    atomic.Pointer[string]
	active   atomic.Int64 // running requests
	probing  sync.Mutex
}

// mayServe reports whether the peer can replace this node.
func (l *Link) mayServe(m *live.Mount) bool {
	if !l.reached.Load() || !l.state.Up() {
		return false
	}
	if m.Destination.Type != live.TypeLocal {
		return true
	}
	// The same path is a different disk on each node, unless both have seen the same
	// marker.
	theirs, ours := l.proof.Load(), m.Proof()
	return l.ours.Load() && ours != "" && theirs != nil && *theirs == ours
}

// meet probes a peer that was never probed, to learn what kind it is.
func (l *Link) meet(ctx context.Context) error {
	if l.answered.Load() {
		return nil
	}
	l.probing.Lock()
	defer l.probing.Unlock()
	if l.answered.Load() {
		if !l.state.Up() {
			return fmt.Errorf("%w: node %s", refusal.ErrPeer, l.Node)
		}
		return nil
	}
	if err := l.ask(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.lost(err)
		return fmt.Errorf("%w: node %s: %w", refusal.ErrPeer, l.Node, err)
	}
	l.answered.Store(true)
	return nil
}

// probe asks the peer whether it reaches the destination.
func (l *Link) probe(ctx context.Context) {
	if !l.probing.TryLock() {
		return
	}
	defer l.probing.Unlock()
	err := l.ask(ctx)
	if ctx.Err() != nil {
		return
	}
	first := !l.answered.Swap(true)
	if first && err != nil {
		l.lost(err)
		return
	}
	if l.state.Probed(err == nil) {
		l.changed(err)
	}
}

// errNotServed says that the peer answers but does not reach the destination.
var errNotServed = errors.New("it does not reach the destination")

// ask sends one probe.
func (l *Link) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.address+"/"+l.destination+"/"+ProbeName, http.NoBody)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", rest.MediaTypeV2)
	resp, err := l.peers.prober.RoundTrip(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10)) // only the status counts
	if resp.StatusCode != http.StatusNotFound {
		return fmt.Errorf("%w: it answers %d", errNotServed, resp.StatusCode)
	}
	proof := resp.Header.Get(HeaderStorage)
	l.proof.Store(&proof)
	l.ours.Store(resp.Header.Get(HeaderGateway) != "")
	l.reached.Store(true)
	return nil
}

// lost marks the peer as down at once.
func (l *Link) lost(cause error) {
	l.answered.Store(true)
	if l.state.Set(false) {
		l.changed(cause)
	}
}

// changed logs a change of the state.
func (l *Link) changed(cause error) {
	if cause == nil {
		l.peers.opts.Log.Info("a peer is reached again", "node", l.Node, "dest", l.destination)
		return
	}
	l.peers.transport.CloseIdleConnections() // whatever peer they lead to
	l.peers.opts.Log.Warn("a peer is not reached for a destination", "node", l.Node, "dest", l.destination, "err", cause,
		"hint", "check that the node is up, that its gateway runs and reaches the destination, and the cluster's VPN")
}

// inUse reports whether the peer must be probed.
func (l *Link) inUse(now time.Time) bool {
	return l.active.Load() > 0 || !l.state.Up() || now.Sub(time.Unix(0, l.used.Load())) < idleAfter
}
