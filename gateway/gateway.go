package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/admin"
	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/auditsync"
	"github.com/rclone-gateway/rclone-gateway/gateway/blobcache"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/events"
	"github.com/rclone-gateway/rclone-gateway/gateway/coverage"
	"github.com/rclone-gateway/rclone-gateway/gateway/dashboard"
	"github.com/rclone-gateway/rclone-gateway/gateway/dav"
	"github.com/rclone-gateway/rclone-gateway/gateway/lease"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/metrics"
	"github.com/rclone-gateway/rclone-gateway/gateway/moduleapi"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/pairing"
	"github.com/rclone-gateway/rclone-gateway/gateway/past"
	"github.com/rclone-gateway/rclone-gateway/gateway/peer"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/wire"
)

// Options configure a Gateway.
type Options struct {
	// Listeners accept requests; the gateway closes them.
	Listeners []net.Listener
	// Metrics, if set, serves the metrics without TLS and credentials; the gateway closes
	// it. Nodes get them on the Listeners too.
	Metrics net.Listener
	// Admin, if set, is a unix socket for this host's administrators; the gateway closes
	// it.
	Admin net.Listener
	// TLS, if set, is used on every listener except unix sockets.
	TLS *tls.Config
	// AllowFrom are networks whose callers are accepted in addition to those of this host
	// and of cluster/network.
	AllowFrom []netip.Prefix

	// ClusterPort, if not 0, is the port on which the gateway also listens on this node's
	// VPN address, as stored in Redis.
	ClusterPort uint16
	// DialPeer, if set, connects to other nodes.
	DialPeer peer.Dial

	Redis catalog.Redis
	Load  catalog.LoadOptions
	// Writer, if set, is Redis as a user that may write refreshed tokens to the rclone
	// sections. On NethServer 8 a node's own user may not.
	Writer *catalog.Redis
	// Events select the user that subscribes to events.
	Events events.Options

	// StateDir is the directory where the gateway remembers which local destinations it has
	// seen, to distinguish an unmounted disk from an empty one; it is created. It must not
	// be on such a disk. If empty, a restart forgets them.
	StateDir string

	// Cache, if set, caches index, snapshots and keys of remote storage on a local disk;
	// the caller closes it.
	Cache *blobcache.Cache

	// RefreshInterval is the time between loads from Redis without an event.
	RefreshInterval time.Duration
	// MaxStale is how long the last state is used while Redis is down. A revoked credential
	// stays valid as long.
	MaxStale time.Duration
	// StallTimeout ends a request without progress.
	StallTimeout time.Duration
	// ShutdownTimeout is how long requests may take to finish after Stop.
	ShutdownTimeout time.Duration

	// SnapshotsSocket, if set, is the socket of "gatewayctl snapshot serve", which has the
	// passwords of repositories: the pages then show files of snapshots.
	SnapshotsSocket string
	// StatusActions enables actions on the pages.
	StatusActions bool

	// Audit, if set, is the audit log; the caller closes it.
	Audit *audit.Log
	// AuditState is the file that records which changes in Redis were copied to the audit
	// log.
	AuditState string

	Log *slog.Logger
	// Changed, if set, is called whenever readiness changes.
	Changed func(ready bool)
}

// Defaults returns the defaults of the options with a flag.
func Defaults() Options {
	return Options{
		RefreshInterval: 30 * time.Second,
		MaxStale:        24 * time.Hour,
		StallTimeout:    2 * time.Minute, // well under the 5 minutes of restic's watchdog
		ShutdownTimeout: 90 * time.Second,
	}
}

// Source returns where the gateway's state comes from, for code that examines the same
// destinations.
func (o *Options) Source() live.Source {
	return live.Source{Redis: o.Redis, Load: o.Load, Writer: o.Writer, StateDir: o.StateDir, Log: o.Log}
}

// node returns the ID of this node, "" if unknown.
func (o *Options) node() string {
	if o.Load.NodeID != "" {
		return o.Load.NodeID
	}
	id, _ := strings.CutPrefix(o.Redis.Username, "node/")
	return id
}

const (
	headerTimeout = 30 * time.Second
	// idleTimeout is longer than the 90 s of restic's client, so that the client closes
	// first: it knows whether it is about to send.
	idleTimeout    = 3 * time.Minute
	maxHeaderBytes = 64 << 10
)

// Gateway is a running server. Make one with New.
type Gateway struct {
	opts     Options
	log      *slog.Logger
	state    *live.State
	rest     *rest.Handler
	dav      *dav.Handler
	locks    past.Spaces // of clients without write access
	peers    *peer.Peers
	coverage *coverage.Coverage
	dash     *dashboard.Dashboard
	backend  []string // this node's name in responses
	gate     *access.Gate
	observer *observe.Observer
	admin    *admin.Handlers
	keeper   *auditsync.Keeper
	counts   *metrics.Metrics
	leases   *lease.Keeper // nil if the node's ID is unknown
	ownLocks lease.OwnLocks
	pairing  *pairing.Desk
	modules  *moduleapi.API
	registry *prometheus.Registry
	scrapes  http.Handler // the handler of the metrics

	server, metricsServer *http.Server

	arrivals  wire.Arrivals
	listening sync.WaitGroup
	failed    chan error // first error of a listener
	cleanup   cleanup
}

// New wires a gateway; it makes no connection yet.
func New(opts Options) (*Gateway, error) {
	if opts.Changed == nil {
		opts.Changed = func(bool) {}
	}
	g := &Gateway{
		opts:     opts,
		log:      opts.Log,
		rest:     rest.NewHandler(),
		dav:      dav.NewHandler(),
		registry: prometheus.NewRegistry(),
		failed:   make(chan error, len(opts.Listeners)+1),
	}
	if opts.Load.NodeID != "" {
		g.backend = backendOf(opts.Load.NodeID)
	}
	if err := g.wireState(); err != nil {
		return nil, err
	}
	if err := g.wireOwnPaths(); err != nil {
		return nil, errors.Join(err, g.cleanup.run(context.Background()))
	}
	g.observer = observe.New(observe.Options{
		Log: opts.Log, Stall: opts.StallTimeout, Metrics: g.counts, Saved: g.coverage.Saved, Audit: opts.Audit,
		Refused: g.dash.NoteFailure,
	})
	g.scrapes = metrics.Handler(g.registry, opts.Log)
	g.server = &http.Server{
		Handler:           g.routes(),
		TLSConfig:         opts.TLS,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(opts.Log.Handler(), slog.LevelDebug),
		ConnState:         g.arrivals.Track,
	}
	g.metricsServer = newMetricsServer(g.scrapes)
	g.metricsServer.ErrorLog = g.server.ErrorLog
	return g, nil
}

// wireState makes what loads the state from Redis, and what follows each new view.
func (g *Gateway) wireState() error {
	opts := &g.opts
	g.counts = metrics.New(g.registry)
	g.keeper = auditsync.New(auditsync.Options{
		Audit: opts.Audit, State: opts.AuditState, Redis: opts.Redis, NodeID: opts.Load.NodeID, Log: opts.Log,
	})
	state, err := live.New(live.Options{
		Source:          opts.Source(),
		Events:          opts.Events,
		RefreshInterval: opts.RefreshInterval,
		MaxStale:        opts.MaxStale,
		Changed:         opts.Changed,
		Loaded: func(took time.Duration, err error) {
			g.counts.Reloaded(took, err)
			g.keeper.Loaded()
		},
		Opened: g.counts.Opened,
		Cache:  opts.Cache,
	})
	if err != nil {
		return err
	}
	g.state = state
	g.cleanup.addClose(state.Close)
	g.gate = &access.Gate{State: state, AllowFrom: opts.AllowFrom}
	g.peers = peer.New(peer.Options{NodeID: opts.Load.NodeID, Latest: state.Latest, Dial: opts.DialPeer, Log: opts.Log})
	g.coverage = coverage.New(opts.Load.NodeID, state.Latest, opts.Log)
	g.registry.MustRegister(metrics.NewCollector(state, g.peers, g.coverage))
	return nil
}

// wireOwnPaths makes what answers the gateway's own paths: administrators, the pages,
// leases, pairing, and modules without Redis.
func (g *Gateway) wireOwnPaths() error {
	opts := &g.opts
	g.admin = admin.New(g.state, admin.Options{
		Redis: opts.Redis, Load: opts.Load, Audit: opts.Audit, LocksRemoved: g.rest.LocksRemoved,
	})
	var err error
	if g.dash, err = dashboard.New(dashboard.Options{
		State: g.state, Actor: actorOf(opts, g.admin), Snapshots: opts.SnapshotsSocket, Gate: g.gate, Peers: g.peers, Newest: g.coverage.Newest,
		Redis: opts.Redis, Node: opts.Load.NodeID, StateDir: opts.StateDir, Audit: opts.Audit, Log: opts.Log,
	}); err != nil {
		return err
	}
	g.cleanup.addClose(g.dash.Close)
	if g.modules, err = moduleapi.New(opts.node(), opts.Redis); err != nil {
		return err
	}
	g.cleanup.addClose(g.modules.Close)
	if g.leases, err = newKeeper(opts, g.state.Latest); err != nil {
		return err
	}
	if g.leases != nil {
		g.cleanup.addClose(g.leases.Close)
	}
	if g.pairing, err = newDesk(opts, g.gate, g.state.Current); err != nil {
		return err
	}
	g.cleanup.addClose(g.pairing.Close)
	return nil
}

// newDesk returns the desk that redeems pairing codes.
func newDesk(opts *Options, gate *access.Gate, current func() *live.View) (*pairing.Desk, error) {
	node := opts.node()
	if node == "" {
		return pairing.New("", nil, gate, current), nil
	}
	rdb, err := opts.Redis.Open()
	if err != nil {
		return nil, err
	}
	return pairing.New(node, rdb, gate, current), nil
}

// actorOf returns what carries out the actions of the pages, nil where they have none.
func actorOf(opts *Options, administration *admin.Handlers) dashboard.Actor {
	if !opts.StatusActions {
		return nil
	}
	return administration
}

// Start starts the listeners and the first load, and returns at once. Until Redis has been
// read, requests are answered 503.
func (g *Gateway) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { g.state.Run(ctx) })
	working.Go(func() { g.peers.Run(ctx) })
	working.Go(func() { g.coverage.Run(ctx) })
	working.Go(func() { g.keeper.Run(ctx) })
	working.Go(func() { g.dash.Run(ctx) })
	g.cleanup.add(func(context.Context) error {
		cancel()
		working.Wait()
		return nil
	})
	if g.opts.Metrics != nil {
		working.Go(func() { g.listenMetrics(g.opts.Metrics) })
	}
	if g.opts.Admin != nil {
		g.cleanup.add(g.serveAdmin(g.opts.Admin))
	}
	g.cleanup.add(func(context.Context) error {
		_ = g.metricsServer.Close() // the next scrape reaches the next gateway
		return nil
	})
	for _, listener := range g.opts.Listeners {
		g.listening.Go(func() { g.listen(listener) })
	}
	g.cleanup.add(g.drain)
	if g.opts.ClusterPort != 0 {
		g.cleanup.add(g.listenForCluster())
	}
}

// listenForCluster starts listening on this node's VPN address, and returns a function that
// stops it.
func (g *Gateway) listenForCluster() (stop func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var following sync.WaitGroup
	following.Go(func() {
		peer.Listen(ctx, peer.Listening{
			NodeID: g.opts.Load.NodeID,
			Port:   g.opts.ClusterPort,
			Latest: g.state.Latest,
			Serve: func(listener net.Listener) {
				_ = g.serveOn(listener) // Listen closes it and opens another
			},
			Log: g.log,
		})
	})
	return func(context.Context) error {
		cancel()
		following.Wait()
		return nil
	}
}

// serveOn serves a listener until it is closed.
func (g *Gateway) serveOn(listener net.Listener) error {
	if g.opts.TLS != nil && listener.Addr().Network() != "unix" {
		return g.server.ServeTLS(listener, "", "")
	}
	return g.server.Serve(listener)
}

func (g *Gateway) listen(listener net.Listener) {
	if err := g.serveOn(listener); !errors.Is(err, net.ErrClosed) {
		g.failed <- fmt.Errorf("listen on %s: %w", listener.Addr(), err)
	}
}

// Reload loads from Redis now, and returns when that is done.
func (g *Gateway) Reload(ctx context.Context) error {
	_, err := g.state.Refresh(ctx)
	return err
}

// Ready reports whether the gateway serves the present content of Redis.
func (g *Gateway) Ready() bool { return g.state.Ready() }

// Alive reports, within seconds, whether the gateway's main loop works. It is for a
// watchdog.
func (g *Gateway) Alive(ctx context.Context) bool { return g.state.Alive(ctx) }

// Stop stops the gateway: it accepts no new connections, and lets requests finish until ctx
// ends. If it has to abort some, it returns ctx's error.
func (g *Gateway) Stop(ctx context.Context) error { return g.cleanup.run(ctx) }

// drain lets running requests finish until ctx ends, and aborts the others.
func (g *Gateway) drain(ctx context.Context) error {
	for _, listener := range g.opts.Listeners {
		_ = listener.Close() // nothing was written to it
	}
	g.listening.Wait()
	g.server.SetKeepAlivesEnabled(false)
	g.arrivals.Wait(ctx)
	err := g.server.Shutdown(ctx)
	if err != nil {
		_ = g.server.Close() // aborts what is left; its error adds nothing
	}
	return errors.Join(err, g.observer.Wait(ctx))
}

// Run serves until ctx ends, then lets requests finish for ShutdownTimeout.
func (g *Gateway) Run(ctx context.Context) error {
	g.Start()
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-g.failed:
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.opts.ShutdownTimeout)
	defer cancel()
	return errors.Join(failure, g.Stop(limit))
}

// cleanup is a stack of functions that undo a start.
type cleanup []func(context.Context) error

func (c *cleanup) add(undo func(context.Context) error) { *c = append(*c, undo) }

// addClose adds a Close method.
func (c *cleanup) addClose(closeIt func() error) {
	c.add(func(context.Context) error { return closeIt() })
}

func (c *cleanup) run(ctx context.Context) error {
	var errs []error
	for _, undo := range slices.Backward(*c) {
		errs = append(errs, undo(ctx))
	}
	*c = nil
	return errors.Join(errs...)
}
