package peer

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// Port is the port of a cluster's gateways.
const Port = 4694

const (
	// dialTimeout bounds a connection to a peer: the cost for the request that finds it
	// down.
	dialTimeout = 4 * time.Second
	// probeInterval is the time between probes of a peer that is in use or in doubt,
	// probeTimeout bounds each.
	probeInterval = 2 * time.Second
	probeTimeout  = 2500 * time.Millisecond
	// idleAfter is how long a peer is probed after its last request.
	idleAfter = time.Minute
	// stuckAfter is how long a request may stall while its peer is down.
	stuckAfter = 5 * time.Second
	// proofInterval is the time between attempts to get the proof of a local destination.
	proofInterval = time.Minute
)

// Dial connects to a peer.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Options configure Peers.
type Options struct {
	// NodeID is the ID of this node.
	NodeID string
	// Latest returns the present view; nil before the first.
	Latest func() *live.View
	// Dial replaces a plain connection.
	Dial Dial
	Log  *slog.Logger
}

// Peers is the state of the other nodes.
type Peers struct {
	opts      Options
	transport *http.Transport // for requests
	prober    *http.Transport // for probes, each over its own connection

	mu    sync.Mutex
	links map[linkKey]*Link
	hops  map[*hop]struct{}    // running requests
	looks map[string]time.Time // when the proof of a local destination was last requested
	busy  map[string]bool      // destinations being probed
}

type linkKey struct{ node, destination string }

// New returns Peers without any state.
func New(opts Options) *Peers {
	if opts.Dial == nil {
		dialer := &net.Dialer{
			Timeout:         dialTimeout,
			KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 4},
		}
		opts.Dial = dialer.DialContext
	}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		tcp, err := opts.Dial(ctx, network, address)
		if err != nil {
			return nil, &dialError{err}
		}
		return &conn{Conn: tcp}, nil
	}
	const headers = 64 << 10
	return &Peers{
		opts: opts,
		transport: &http.Transport{
			DialContext:            dial,
			DisableCompression:     true,
			MaxIdleConnsPerHost:    64,
			IdleConnTimeout:        30 * time.Second,
			ExpectContinueTimeout:  time.Second,
			MaxResponseHeaderBytes: headers,
		},
		prober: &http.Transport{
			DialContext: dial, DisableCompression: true, DisableKeepAlives: true, MaxResponseHeaderBytes: headers,
		},
		links: make(map[linkKey]*Link),
		hops:  make(map[*hop]struct{}),
		looks: make(map[string]time.Time),
		busy:  make(map[string]bool),
	}
}

// dialError says that no connection was made.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// Route returns the link for a request to a destination, nil if this node serves it. local
// is true for callers on this host, hopped for a request that another gateway forwarded.
func (p *Peers) Route(v *live.View, m *live.Mount, local, hopped bool) (*Link, error) {
	d := m.Destination
	if d.PeerNode == "" {
		if hopped || !local || m.Guard.Reached() {
			return nil, nil //nolint:nilnil // this node serves it
		}
		return p.detour(v, m), nil
	}
	if hopped {
		return nil, fmt.Errorf("%w: it is on the disk of node %s", refusal.ErrLoop, d.PeerNode)
	}
	address, ok := ownerAddress(v, d)
	if !ok {
		return nil, fmt.Errorf("%w: node %s has no address", refusal.ErrPeer, d.PeerNode)
	}
	link := p.link(d.PeerNode, address, d.ID)
	link.used.Store(time.Now().UnixNano())
	if !link.state.Up() {
		return nil, fmt.Errorf("%w: node %s, which has it on its disk", refusal.ErrPeer, d.PeerNode)
	}
	return link, nil
}

// detour returns the first peer that reaches what this node does not, the leader before
// others; nil if none does.
func (p *Peers) detour(v *live.View, m *live.Mount) *Link {
	for _, node := range p.others(v) {
		link := p.link(node.ID, nodeAddress(node), m.Destination.ID)
		link.used.Store(time.Now().UnixNano())
		if link.mayServe(m) {
			return link
		}
	}
	return nil
}

// others returns the other nodes, the leader first.
func (p *Peers) others(v *live.View) []*catalog.Node {
	var nodes []*catalog.Node
	for id, node := range v.Snapshot.Nodes {
		if id != p.opts.NodeID && node.IPAddress.IsValid() {
			nodes = append(nodes, node)
		}
	}
	leader := v.Snapshot.LeaderID
	slices.SortFunc(nodes, func(a, b *catalog.Node) int {
		if (a.ID == leader) != (b.ID == leader) {
			return map[bool]int{true: -1, false: 1}[a.ID == leader]
		}
		return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), strings.Compare(a.ID, b.ID))
	})
	return nodes
}

func nodeAddress(node *catalog.Node) string {
	return netip.AddrPortFrom(node.IPAddress, Port).String()
}

// ownerAddress returns the address of the node that holds a destination of provider
// cluster, with the port in the destination's URL.
func ownerAddress(v *live.View, d *catalog.Destination) (string, bool) {
	node := v.Snapshot.Nodes[d.PeerNode]
	if node == nil || !node.IPAddress.IsValid() {
		return "", false
	}
	port := strconv.Itoa(Port)
	if u, err := url.Parse(strings.TrimPrefix(d.URL, "webdav:")); err == nil {
		port = cmp.Or(u.Port(), port)
	}
	return net.JoinHostPort(node.IPAddress.String(), port), true
}

// link returns the link to a node for a destination.
func (p *Peers) link(node, address, destination string) *Link {
	key := linkKey{node, destination}
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.links[key]
	if l == nil || l.address != address {
		l = &Link{peers: p, Node: node, destination: destination, address: address}
		p.links[key] = l
	}
	return l
}

// Status is the present state of a link.
type Status struct {
	Node, Destination string
	Up                bool
}

// Status returns the status of the links that are or were in use.
func (p *Peers) Status() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []Status
	for key, l := range p.links {
		if l.answered.Load() {
			all = append(all, Status{Node: key.node, Destination: key.destination, Up: l.state.Up()})
		}
	}
	return all
}
