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

// Port is where the gateways of a cluster listen.
const Port = 4694

const (
	// dialTimeout is what a peer that does not answer costs the request that finds out.
	dialTimeout = 4 * time.Second
	// probeInterval lies between two questions to a peer that is in use or in doubt,
	// probeTimeout bounds one of them.
	probeInterval = 2 * time.Second
	probeTimeout  = 2500 * time.Millisecond
	// idleAfter is how long a peer is asked on after its last request.
	idleAfter = time.Minute
	// stuckAfter is how long a request may stall while its peer is down.
	stuckAfter = 5 * time.Second
	// proofInterval lies between two looks at a local destination that has no proof.
	proofInterval = time.Minute
)

// Dial connects to a peer.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Options is everything that Peers are made of.
type Options struct {
	// NodeID is this node's.
	NodeID string
	// Latest returns the view of now; nil before the first.
	Latest func() *live.View
	// Dial replaces a plain connection.
	Dial Dial
	Log  *slog.Logger
}

// Peers is what is known of the other nodes.
type Peers struct {
	opts      Options
	transport *http.Transport // of requests
	prober    *http.Transport // of questions, each over a connection of its own

	mu    sync.Mutex
	links map[linkKey]*Link
	hops  map[*hop]struct{}    // the requests that are under way
	looks map[string]time.Time // when a local destination was last asked for its proof
	busy  map[string]bool      // the destinations that are being asked
}

type linkKey struct{ node, destination string }

// New returns Peers that know nothing yet.
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

// dialError says that no connection came about.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// Route returns the link over which a request for a destination goes, nil where this
// node serves it. Local is true for callers on this host, hopped for a request that
// another gateway passed on.
func (p *Peers) Route(v *live.View, m *live.Mount, local, hopped bool) (*Link, error) {
	d := m.Destination
	if d.PeerNode == "" {
		if hopped || !local || m.Guard.Reached() {
			return nil, nil //nolint:nilnil // it is served here
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

// detour returns the first peer that reaches what this node does not, the leader
// before the others; nil where none does.
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

// others are the nodes beside this one, the leader first.
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

// ownerAddress is that of the node that holds a destination of provider cluster, with
// the port that its URL names.
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

// link returns what is known of a node for a destination.
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

// Status is what a link is at the moment.
type Status struct {
	Node, Destination string
	Up                bool
}

// Status returns the links that are or were in use.
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
