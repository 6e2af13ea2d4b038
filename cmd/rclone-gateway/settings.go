package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/gateway"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/events"
	"github.com/rclone-gateway/rclone-gateway/internal/flagenv"
	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
)

// settings are the unparsed values of flags and environment variables.
type settings struct {
	addrs           []string
	addrsGiven      bool
	redis           redisconn.Settings
	eventsUser      string
	writerUser      string
	writerPassword  string
	eventsPassword  string
	nodeID          string
	aclSource       string
	clusterStore    string
	stateDir        string
	cacheDir        string
	cacheSize       string
	statusActions   bool
	snapshotsSocket string
	auditLog        string
	auditSize       string
	auditFiles      string
	metricsAddr     string
	allowFrom       []string
	tlsCert         string
	tlsKey          string
	tlsClientCA     string
	refreshInterval time.Duration
	maxStale        time.Duration
	stallTimeout    time.Duration
	shutdownTimeout time.Duration
	logLevel        string
	logFormat       string
}

// registerAddresses defines the flags for the gateway's addresses and TLS.
func (s *settings) registerAddresses(flags *pflag.FlagSet) {
	b := flagenv.Binder{Flags: flags}
	b.List(&s.addrs, "addr", "GATEWAY_ADDR", []string{"127.0.0.1:4694"}, "`address` to listen on: host:port or unix:/path; may be given more than once. Where it is not given, and there is a --node-id, port 4694 of the node's address in the cluster's VPN as well, as Redis has it")
	b.String(&s.tlsCert, "tls-cert", "GATEWAY_TLS_CERT", "", "`file` of the server's certificate chain; turns TLS on")
	b.String(&s.tlsKey, "tls-key", "GATEWAY_TLS_KEY", "", "`file` of the certificate's private key")
	b.String(&s.tlsClientCA, "tls-client-ca", "GATEWAY_TLS_CLIENT_CA", "", "`file` of the CA certificates that clients' must be signed by; demands one of each client")
}

// register defines the flags that every command has.
func (s *settings) register(flags *pflag.FlagSet) {
	str := flagenv.Binder{Flags: flags}.String
	s.redis.Register(flags)
	str(&s.eventsUser, "redis-events-user", "REDIS_EVENTS_USER", "default", "Redis ACL `user` that may subscribe to events")
	str(&s.writerUser, "redis-writer-user", "REDIS_WRITER_USER", "", "Redis ACL `user` that may write refreshed OAuth tokens; its password is in $REDIS_WRITER_PASSWORD")
	str(&s.nodeID, "node-id", "NODE_ID", "", "`ID` of this node in the cluster; empty without a cluster")
	str(&s.aclSource, "acl-source", "GATEWAY_ACL_SOURCE", "auto", "where users come from: `set` (cluster/acls), list (ACL LIST) or auto")
	str(&s.clusterStore, "cluster-store", "GATEWAY_CLUSTER_STORE", "/srv/repo", "`directory` of this node's own cluster destination")
	str(&s.stateDir, "state-dir", "GATEWAY_STATE_DIR", "", "`directory` to remember mounted disks in, not on such a disk (default $STATE_DIRECTORY, as systemd sets it)")
	str(&s.logLevel, "log-level", "GATEWAY_LOG_LEVEL", "info", "least `level` to log: debug (one line for each request), info, warn, error")
	str(&s.logFormat, "log-format", "GATEWAY_LOG_FORMAT", "auto", "`format` of the log: text, json, or auto: text on a terminal")
	defaults := gateway.Defaults()
	s.refreshInterval, s.maxStale, s.stallTimeout = defaults.RefreshInterval, defaults.MaxStale, defaults.StallTimeout
}

// registerServe defines the flags of serve: those of every command, and its own.
func (s *settings) registerServe(flags *pflag.FlagSet) {
	s.register(flags)
	defaults := gateway.Defaults()
	b := flagenv.Binder{Flags: flags}
	str, list, duration := b.String, b.List, b.Duration
	s.registerAddresses(flags)
	str(&s.metricsAddr, "metrics-addr", "GATEWAY_METRICS_ADDR", "", "`address` to serve /metrics on to whoever can reach it, without TLS; nodes find them on --addr too")
	list(&s.allowFrom, "allow-from", "GATEWAY_ALLOW_FROM", nil, "`networks` whose callers are accepted, in addition to this host and cluster/network")
	duration(&s.refreshInterval, "refresh-interval", "GATEWAY_REFRESH_INTERVAL", defaults.RefreshInterval, "time between loads from Redis that no event asked for")
	duration(&s.maxStale, "max-stale", "GATEWAY_MAX_STALE", defaults.MaxStale, "how long the last state serves while Redis is away, revoked credentials included")
	duration(&s.stallTimeout, "stall-timeout", "GATEWAY_STALL_TIMEOUT", defaults.StallTimeout, "how long a request may stall before it is cut")
	str(&s.cacheDir, "cache-dir", "GATEWAY_CACHE_DIR", "", "`directory` to keep index, snapshots and keys of far storage in, which are then read from there; of one gateway alone (default $CACHE_DIRECTORY, as systemd sets it; none: nowhere)")
	str(&s.cacheSize, "cache-size", "GATEWAY_CACHE_SIZE", "1024", "`MiB` that --cache-dir holds at most")
	str(&s.snapshotsSocket, "snapshots-socket", "GATEWAY_SNAPSHOTS_SOCKET", "", "`path` of the socket of \"gatewayctl snapshot serve\" on this host, so that the page shows and sends the files of snapshots")
	b.Bool(&s.statusActions, "status-actions", "GATEWAY_STATUS_ACTIONS", "let administrators do something on the page, not only look: run and pause schedules, check destinations, restore from the trash, acknowledge")
	str(&s.auditLog, "audit-log", "GATEWAY_AUDIT_LOG", "", "`file` to write down who did what (default audit.jsonl in --state-dir; none: nowhere)")
	str(&s.auditSize, "audit-log-size", "GATEWAY_AUDIT_LOG_SIZE", "64", "`MiB` that the file of the audit log grows to before another one is begun")
	str(&s.auditFiles, "audit-log-keep", "GATEWAY_AUDIT_LOG_KEEP", "16", "`N` full files of the audit log are kept; 0 keeps all")
	duration(&s.shutdownTimeout, "shutdown-timeout", "GATEWAY_SHUTDOWN_TIMEOUT", defaults.ShutdownTimeout, "how long requests may take to finish after SIGTERM")
}

// completeValues completes flags with a fixed set of values.
func completeValues(cmd *cobra.Command) {
	for flag, words := range map[string][]string{
		"acl-source": {"auto", "list", "set"},
		"log-format": {"auto", "json", "text"},
		"log-level":  {"debug", "info", "warn", "error"},
	} {
		if cmd.Flags().Lookup(flag) == nil {
			continue
		}
		if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err) // registered twice: a defect that the first start shows
		}
	}
}

// complete sets flags from the environment unless given, and reads passwords.
func (s *settings) complete(flags *pflag.FlagSet, lookup func(string) (string, bool)) error {
	errFill := flagenv.Fill(flags, lookup)
	s.addrsGiven = flags.Changed("addr")
	for variable, dir := range map[string]*string{"STATE_DIRECTORY": &s.stateDir, "CACHE_DIRECTORY": &s.cacheDir} {
		if *dir == "" {
			// Systemd separates several by colons.
			directories, _ := lookup(variable)
			*dir, _, _ = strings.Cut(directories, ":")
		}
	}
	errRedis := s.redis.Complete(lookup)
	s.writerPassword, _ = lookup("REDIS_WRITER_PASSWORD")
	// On NethServer 8 the default user accepts any password.
	s.eventsPassword, _ = lookup("REDIS_EVENTS_PASSWORD")
	s.eventsPassword = cmp.Or(s.eventsPassword, "node/"+s.nodeID)
	return errors.Join(errFill, errRedis)
}

// options validates the settings and converts them to the gateway's options, without
// listeners.
func (s *settings) options() (gateway.Options, error) {
	source, err := catalog.ParseACLSource(s.aclSource)
	if err != nil {
		return gateway.Options{}, fmt.Errorf("--acl-source: %w", err)
	}
	opts := gateway.Options{
		Redis: s.redis.Config,
		Load: catalog.LoadOptions{
			ACLSource:    source,
			NodeID:       s.nodeID,
			ClusterStore: s.clusterStore,
			Advise:       s.redis.Advice,
		},
		StateDir:        s.stateDir,
		StatusActions:   s.statusActions,
		SnapshotsSocket: s.snapshotsSocket,
		Events:          events.Options{Username: s.eventsUser, Password: s.eventsPassword},
		RefreshInterval: s.refreshInterval,
		MaxStale:        s.maxStale,
		StallTimeout:    s.stallTimeout,
		ShutdownTimeout: s.shutdownTimeout,
		Log:             slog.Default(),
	}
	if s.writerUser != "" {
		writer := s.redis.WithUser(s.writerUser, s.writerPassword)
		opts.Writer = &writer
	}
	if err := s.checkAddresses(); err != nil {
		return opts, err
	}
	if err := s.checkRedis(); err != nil {
		return opts, err
	}
	for _, text := range s.allowFrom {
		network, err := parseNetwork(text)
		if err != nil {
			return opts, fmt.Errorf("--allow-from: %w", err)
		}
		opts.AllowFrom = append(opts.AllowFrom, network)
	}
	for flag, value := range map[string]time.Duration{
		"--refresh-interval": s.refreshInterval, "--max-stale": s.maxStale, "--stall-timeout": s.stallTimeout,
	} {
		if value < time.Second {
			return opts, fmt.Errorf("%s: %s is less than a second", flag, value)
		}
	}
	opts.TLS, err = s.tls()
	return opts, err
}

// checkAddresses refuses malformed addresses.
func (s *settings) checkAddresses() error {
	for _, addr := range s.addrs {
		if err := checkAddress(addr); err != nil {
			return fmt.Errorf("--addr %s: %w", addr, err)
		}
	}
	if s.metricsAddr == "" {
		return nil
	}
	if err := checkAddress(s.metricsAddr); err != nil {
		return fmt.Errorf("--metrics-addr %s: %w", s.metricsAddr, err)
	}
	return nil
}

var errAddress = errors.New("an address must be host:port, :port or unix:/path")

func checkAddress(addr string) error {
	if path, unix := strings.CutPrefix(addr, "unix:"); unix {
		if path == "" {
			return errAddress
		}
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		return errAddress
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%w, with a port of 0 to 65535", errAddress)
	}
	return nil
}

// checkRedis refuses unusable settings of the Redis connection.
func (s *settings) checkRedis() error {
	client, err := s.redis.OpenReader() // connects at the first use
	if err != nil {
		return err
	}
	return client.Close()
}

// parseNetwork also accepts the address of one host.
func parseNetwork(text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if network, err := netip.ParsePrefix(text); err == nil {
		return network.Masked(), nil
	}
	host, err := netip.ParseAddr(text)
	if err != nil || host.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%q is neither a network, such as 10.0.0.0/8, nor an address", text)
	}
	return netip.PrefixFrom(host, host.BitLen()), nil
}

// tls loads the certificates; nil without TLS.
func (s *settings) tls() (*tls.Config, error) {
	if s.tlsCert == "" && s.tlsKey == "" && s.tlsClientCA == "" {
		return nil, nil
	}
	if s.tlsCert == "" || s.tlsKey == "" {
		return nil, errors.New("--tls-cert, --tls-key: TLS needs both, and one is not given")
	}
	certificate, err := tls.LoadX509KeyPair(s.tlsCert, s.tlsKey)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert, --tls-key: %w", err)
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{certificate},
		NextProtos:   []string{"h2", "http/1.1"},
	}
	if s.tlsClientCA != "" {
		pem, err := os.ReadFile(s.tlsClientCA)
		if err != nil {
			return nil, fmt.Errorf("--tls-client-ca: %w", err)
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--tls-client-ca: %s holds no certificate", s.tlsClientCA)
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}
