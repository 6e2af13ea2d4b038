package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"

	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// listen returns the sockets that systemd passed, or opens those of --addr: all of them or
// none.
func listen(ctx context.Context, addrs []string) (listeners []net.Listener, inherited bool, err error) {
	handed, err := activation.Listeners()
	if err != nil {
		return nil, false, fmt.Errorf("socket activation: %w", err)
	}
	if len(handed) > 0 {
		return handed, true, nil
	}
	for _, addr := range addrs {
		listener, err := open(ctx, "--addr", addr)
		if err != nil {
			for _, opened := range listeners {
				_ = opened.Close() // nothing was served on it
			}
			return nil, false, err
		}
		listeners = append(listeners, listener)
	}
	return listeners, false, nil
}

// open listens on the address of a flag.
func open(ctx context.Context, flag, addr string) (net.Listener, error) {
	var config net.ListenConfig
	path, unix := strings.CutPrefix(addr, "unix:")
	if !unix {
		listener, err := config.Listen(ctx, "tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w%s", flag, addr, err, listenAdvice(err))
		}
		return listener, nil
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, fmt.Errorf("%s %s: %w", flag, addr, err)
	}
	listener, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", flag, addr, err)
	}
	return listener, nil
}

// listenAdmin opens the administrative socket in the state directory, if there is one. Only
// the gateway's own user may connect to it.
func listenAdmin(ctx context.Context, stateDir string) (net.Listener, error) {
	if stateDir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	path := filepath.Join(stateDir, adminapi.SocketName)
	if len(path) > maxSocketPath {
		slog.Warn("no administrative socket: the trash cannot be emptied early", "err", path+" is too long a path for one",
			"hint", "name a state directory with a shorter path (--state-dir)")
		return nil, nil
	}
	listener, err := open(ctx, "--state-dir", "unix:"+path)
	if err != nil {
		slog.Warn("no administrative socket: the trash cannot be emptied early", "err", err,
			"hint", "give each gateway a state directory of its own (--state-dir)")
		return nil, nil // the gateway works without it
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// maxSocketPath is the maximum length of a unix socket's path on all systems.
const maxSocketPath = 103

// listenAdvice says what to do about a failure to listen.
func listenAdvice(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return ": stop what listens there (ss -ltnp names it), or choose another port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return ": this host has no such address, or no IPv6"
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return ": this host has no IPv6"
	case errors.Is(err, syscall.EACCES):
		return ": ports below 1024 are for root or CAP_NET_BIND_SERVICE"
	}
	return ""
}

// removeStale removes the socket of a killed process, recognized by refused connections.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("the path exists and is no socket")
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close() // it only tested whether a server answers
		return errors.New("another process listens there")
	}
	return os.Remove(path)
}
