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
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
)

// Options is everything that a Gateway is made of.
type Options struct {
	// Listeners serve the gateway; it closes them.
	Listeners []net.Listener
	// Metrics, where set, serves the metrics to whoever can reach it, without TLS;
	// the gateway closes it. Nodes find them on the Listeners anyway.
	Metrics net.Listener
	// TLS, where set, is spoken on every listener that is not a unix socket.
	TLS *tls.Config
	// AllowFrom are networks whose callers are let in beside those of this host
	// and of cluster/network.
	AllowFrom []netip.Prefix

	Redis catalog.Redis
	Load  catalog.LoadOptions
	// Writer, where set, is Redis as a user that may write refreshed tokens back
	// into the rclone sections; a node's own user may not on NethServer 8.
	Writer *catalog.Redis
	// Events is who hears of changes.
	Events catalog.WatchOptions

	// StateDir is where the gateway remembers which local destinations it has
	// seen, to tell a disk that is not mounted from an empty one; it is made. It
	// must not lie on such a disk. Empty means that a restart forgets them.
	StateDir string

	// RefreshInterval lies between loads from Redis that no event asked for.
	RefreshInterval time.Duration
	// MaxStale is how long the last state serves while Redis is away; so long
	// may a revoked credential live.
	MaxStale time.Duration
	// StallTimeout ends a request in which no byte has moved for so long.
	StallTimeout time.Duration
	// ShutdownTimeout is how long requests may take to finish after Stop.
	ShutdownTimeout time.Duration

	Log *slog.Logger
	// Changed, where set, is told whenever readiness changes.
	Changed func(ready bool)
}

// Defaults returns the options that a flag or the environment may change.
func Defaults() Options {
	return Options{
		RefreshInterval: 30 * time.Second,
		MaxStale:        24 * time.Hour,
		StallTimeout:    2 * time.Minute, // well under the 5 minutes of restic's watchdog
		ShutdownTimeout: 90 * time.Second,
	}
}

const (
	headerTimeout = 30 * time.Second
	// idleTimeout is longer than the 90 s of restic's own client, so that the
	// client, who knows whether it is about to send, closes first.
	idleTimeout    = 3 * time.Minute
	maxHeaderBytes = 64 << 10
)

// Gateway is a running server. Make one with New.
type Gateway struct {
	opts     Options
	log      *slog.Logger
	rdb      redis.UniversalClient
	tokens   *tokens
	views    *views
	rest     *rest.Handler
	observer *observer
	server   *http.Server

	metrics       *metrics
	exposition    http.Handler // of the metrics
	metricsServer *http.Server

	background context.CancelFunc
	arrivals   arrivals
	listening  sync.WaitGroup
	working    sync.WaitGroup
	failed     chan error // the first listener that gave up
}

// New wires a gateway; it makes no connection yet.
func New(opts Options) (*Gateway, error) {
	seen, err := newSightings(opts.StateDir)
	if err != nil {
		return nil, err
	}
	if opts.StateDir == "" {
		opts.Log.Warn("no state directory: after a restart, a local destination whose disk is not mounted looks empty",
			"hint", "name a directory on the system's own disk with --state-dir")
	}
	kept, err := openTokens(opts)
	if err != nil {
		return nil, err
	}
	rdb, err := opts.Redis.OpenReader()
	if err != nil {
		return nil, errors.Join(err, kept.close())
	}
	opts.Events.Log = opts.Log
	if opts.Changed == nil {
		opts.Changed = func(bool) {}
	}
	g := &Gateway{
		opts:   opts,
		log:    opts.Log,
		rdb:    rdb,
		tokens: kept,
		rest:   rest.NewHandler(),
		failed: make(chan error, len(opts.Listeners)+1),
	}
	g.views = newViews(opts, func(ctx context.Context) (*catalog.Snapshot, error) {
		snapshot, err := catalog.Load(ctx, rdb, opts.Load)
		if err == nil {
			g.tokens.settle(snapshot)
		}
		return snapshot, err
	})
	g.metrics = newMetrics(prometheus.NewRegistry(), g.views)
	g.exposition = g.metrics.handler(opts.Log)
	g.observer = newObserver(opts.Log, opts.StallTimeout, g.metrics)
	g.views.open = g.metrics.counting(openWith(local.Mark{Memory: seen, Log: opts.Log}, g.tokens))
	g.views.sections = g.tokens.register
	g.views.loaded = g.metrics.reloaded
	g.server = &http.Server{
		Handler:           g.routes(),
		TLSConfig:         opts.TLS,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(opts.Log.Handler(), slog.LevelDebug),
		ConnState:         g.arrivals.track,
	}
	g.metricsServer = g.newMetricsServer()
	return g, nil
}

// Start serves and begins to load; it returns at once. Until Redis has been
// read, requests are answered 503.
func (g *Gateway) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	g.background = cancel
	hints := make(chan struct{}, 1)
	g.working.Go(func() { g.views.run(ctx, hints) })
	g.working.Go(func() { g.watch(ctx, hints) })
	g.working.Go(func() { g.tokens.run(ctx) })
	g.working.Go(func() { g.views.measureSpace(ctx) })
	if g.opts.Metrics != nil {
		g.working.Go(func() { g.listenMetrics(g.opts.Metrics) })
	}
	for _, listener := range g.opts.Listeners {
		g.listening.Go(func() { g.listen(listener) })
	}
}

// watch turns what Redis announces into hints to load.
func (g *Gateway) watch(ctx context.Context, hints chan<- struct{}) {
	err := catalog.Watch(ctx, g.opts.Redis, g.opts.Events, func(catalog.Event) {
		select {
		case hints <- struct{}{}:
		default: // one is waiting already
		}
	})
	if err != nil && ctx.Err() == nil {
		g.log.Error("cannot listen to Redis events, relying on --refresh-interval", "err", err, "hint", refusal.HintRedis)
	}
}

func (g *Gateway) listen(listener net.Listener) {
	var err error
	if g.opts.TLS != nil && listener.Addr().Network() != "unix" {
		err = g.server.ServeTLS(listener, "", "")
	} else {
		err = g.server.Serve(listener)
	}
	if !errors.Is(err, net.ErrClosed) {
		g.failed <- fmt.Errorf("listen on %s: %w", listener.Addr(), err)
	}
}

// Reload loads from Redis now and returns when that is done.
func (g *Gateway) Reload(ctx context.Context) error {
	_, err := g.views.refresh(ctx)
	return err
}

// Ready tells whether the gateway serves what Redis says now.
func (g *Gateway) Ready() bool { return g.views.ready() }

// Alive tells, within seconds, whether the gateway still goes about its work. It
// is for a watchdog.
func (g *Gateway) Alive(ctx context.Context) bool { return g.views.alive(ctx) }

// Stop ends the gateway: no new connection is accepted, requests under way may
// finish until ctx ends, then they are cut. It returns ctx's error where some were.
func (g *Gateway) Stop(ctx context.Context) error {
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
	_ = g.metricsServer.Close() // the next scrape finds the next gateway
	g.background()
	g.working.Wait()
	g.views.close()
	return errors.Join(err, g.rdb.Close(), g.tokens.close())
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
