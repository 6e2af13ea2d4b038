package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/gateway"
	"github.com/rclone-gateway/rclone-gateway/gateway/peer"
	"github.com/rclone-gateway/rclone-gateway/internal/footprint"
	"github.com/rclone-gateway/rclone-gateway/internal/version"
)

func newServe() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve until SIGTERM; SIGHUP loads from Redis again, SIGUSR1 and SIGUSR2 log more and less",
		Long: `Serve restic repositories on 127.0.0.1:4694 to the modules and nodes that Redis
knows. While Redis is away at the start the server waits and answers 503.

On a node of a cluster (--node-id) it also serves port 4694 of the node's address in the
VPN, as Redis has it, and passes on what another node has on its disk, or alone reaches.

SIGHUP loads from Redis again. SIGUSR1 makes the log one level more verbose, up to
debug, which has one line for each request; SIGUSR2 makes it one less. SIGTERM and
SIGINT stop accepting connections and let requests finish; a second one ends the
process at once.
` + exitStatus,
		Example: `  REDIS_ADDRESS=127.0.0.1:6379 REDIS_USER=node/1 REDIS_PASSWORD=… NODE_ID=1 rclone-gateway serve
  rclone-gateway serve --addr 127.0.0.1:4694 --addr unix:/run/rclone-gateway.sock`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.complete(cmd.Flags(), os.LookupEnv); err != nil {
				return usageError(err)
			}
			if err := s.startLog(cmd.ErrOrStderr()); err != nil {
				return usageError(err)
			}
			return serve(cmd.Context(), &s)
		},
	}
	s.registerServe(cmd.Flags())
	return cmd
}

// serve runs the gateway until a signal stops it.
func serve(ctx context.Context, s *settings) error {
	opts, err := s.options()
	if err != nil {
		return usageError(err)
	}
	if err := s.listen(ctx, &opts); err != nil {
		return err
	}
	started := make(chan struct{})
	opts.Changed = readiness(ctx, started)
	if opts.Audit, err = s.openAudit(); err != nil {
		return usageError(err)
	}
	defer closeAudit(opts.Audit)
	if opts.Audit != nil {
		opts.AuditState = s.auditFile() + ".changes"
	}
	if opts.Cache, err = s.openCache(); err != nil {
		return usageError(err)
	}
	if opts.Cache != nil {
		defer closeCache(opts.Cache)
	}
	g, err := gateway.New(opts)
	if err != nil {
		return usageError(err)
	}
	slog.Info("starting", s.attributes(opts.Listeners)...)
	return s.runUntilSignal(ctx, g, &opts, started)
}

// listen opens every listener that the settings ask for.
func (s *settings) listen(ctx context.Context, opts *gateway.Options) error {
	listeners, inherited, err := listen(ctx, s.addrs)
	if err != nil {
		return err
	}
	opts.Listeners = listeners
	if !s.addrsGiven && !inherited && s.nodeID != "" {
		opts.ClusterPort = peer.Port
	}
	if s.metricsAddr != "" {
		if opts.Metrics, err = open(ctx, "--metrics-addr", s.metricsAddr); err != nil {
			return err
		}
	}
	if opts.Admin, err = listenAdmin(ctx, s.stateDir); err != nil {
		return usageError(err)
	}
	return nil
}

// readiness returns the callback for changes of readiness. It tells systemd, and closes
// started the first time the gateway is ready.
func readiness(ctx context.Context, started chan<- struct{}) func(ready bool) {
	settled := sync.OnceFunc(func() {
		close(started)
		go trim()
		go footprint.TrimWhenIdle(ctx, trim)
	})
	return func(ready bool) {
		if ready {
			defer settled()
		}
		notify("STATUS=" + map[bool]string{true: "ready", false: "waiting for Redis"}[ready])
	}
}

// runUntilSignal runs g with everything that accompanies a running gateway: the signal
// handler, systemd's watchdog and the warnings about Redis.
func (s *settings) runUntilSignal(ctx context.Context, g *gateway.Gateway, opts *gateway.Options, started <-chan struct{}) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM, syscall.SIGINT)
	go handleSignals(ctx, signals, g, stop)
	go watchdog(ctx, func(ctx context.Context) bool {
		return g.Alive(ctx) && answers(ctx, opts.Listeners, opts.TLS)
	})
	notify("STATUS=waiting for Redis")
	go announce(ctx, started)
	go func() {
		select {
		case <-started:
			warnOfRedis(ctx, s.redis.Config)
		case <-ctx.Done():
		}
	}()
	if err := g.Run(ctx); err != nil {
		return fmt.Errorf("stopped: %w", err)
	}
	slog.Info("stopped, every request had finished")
	return nil
}

// startPatience is how long a start waits for Redis.
const startPatience = 5 * time.Second

// announce tells systemd that the start is over: when Redis has been read, so that
// whoever is started after the gateway finds it ready, or else when Redis takes too
// long, so that nobody waits for it who does not need it.
func announce(ctx context.Context, started <-chan struct{}) {
	select {
	case <-started:
	case <-time.After(startPatience):
	case <-ctx.Done():
		return
	}
	notify(daemon.SdNotifyReady)
}

// trim gives back the memory that is not needed now.
func trim() {
	if err := footprint.Trim(); err != nil {
		slog.Debug("memory is not given back", "err", err)
	}
}

// handleSignals reloads on SIGHUP, changes the log's level on SIGUSR1 and SIGUSR2,
// and calls stop on the first SIGTERM or SIGINT; a second one ends the process as
// if nothing handled it.
func handleSignals(ctx context.Context, signals <-chan os.Signal, g *gateway.Gateway, stop context.CancelFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-signals:
			switch s {
			case syscall.SIGHUP:
				notifyReloading()
				go reload(ctx, g) // SIGTERM does not wait for a Redis that hangs
				continue
			case syscall.SIGUSR1, syscall.SIGUSR2:
				stepLog(s == syscall.SIGUSR1)
				continue
			}
			slog.Info("stopping: requests may finish, a second signal aborts them", "signal", s.String())
			signal.Reset(syscall.SIGTERM, syscall.SIGINT)
			notify(daemon.SdNotifyStopping)
			stop()
			return
		}
	}
}

func reload(ctx context.Context, g *gateway.Gateway) {
	err := g.Reload(ctx)
	if ctx.Err() != nil {
		return // systemd has heard that we stop
	}
	defer notify(daemon.SdNotifyReady)
	if err != nil {
		slog.Error("reload failed, serving as before", "err", err,
			"hint", "check that Redis runs and accepts the gateway's user; rclone-gateway check-config says more")
		return
	}
	slog.Info("reloaded")
}

// attributes is the configuration as the log shows it: no secret is among them.
func (s *settings) attributes(listeners []net.Listener) []any {
	addrs := make([]string, len(listeners))
	for i, listener := range listeners {
		addrs[i] = listener.Addr().String()
	}
	return []any{
		"version", version.String(), "addr", addrs, "tls", s.tlsCert != "", "tls_client_ca", s.tlsClientCA, "metrics_addr", s.metricsAddr,
		"redis", s.redis.Config, "node_id", s.nodeID, "acl_source", s.aclSource, "cluster_store", s.clusterStore,
		"allow_from", s.allowFrom, "refresh_interval", s.refreshInterval.String(), "max_stale", s.maxStale.String(),
		"stall_timeout", s.stallTimeout.String(), "shutdown_timeout", s.shutdownTimeout.String(), "log_level", s.logLevel,
	}
}
