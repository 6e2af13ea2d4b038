package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// hintNotify is the advice for failed notifications to systemd.
const hintNotify = "check NotifyAccess= of the unit, and that the process may use the socket of $NOTIFY_SOCKET"

// notify sends the service's state to systemd, if it listens.
func notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		slog.Warn("sd_notify", "err", err, "hint", hintNotify)
	}
}

// notifyReloading begins a reload for Type=notify-reload, which needs its start time.
func notifyReloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		slog.Warn("sd_notify", "err", err, "hint", hintNotify)
		return
	}
	notify(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/int64(time.Microsecond)))
}

// watchdog tells systemd that the process is alive as long as alive reports true, until ctx
// ends. It does nothing without WatchdogSec= in the unit.
func watchdog(ctx context.Context, alive func(context.Context) bool) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	ticks := time.NewTicker(interval / 2)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		switch {
		case alive(ctx):
			notify(daemon.SdNotifyWatchdog)
		case ctx.Err() == nil:
			slog.Error("the gateway does not answer its own health check; systemd restarts it unless it answers soon",
				"hint", "check the limits of open files and of memory, and the machine's load")
		}
	}
}

// answers sends a request to the gateway's first socket, like a client: a process that
// hangs or cannot open more files does not answer.
func answers(ctx context.Context, listeners []net.Listener, tls *tls.Config) bool {
	if len(listeners) == 0 {
		return true
	}
	addr := listeners[0].Addr()
	name := addr.String()
	if addr.Network() == "unix" {
		name = "unix:" + name
	}
	p, err := newProber(name, tls)
	if err == nil {
		err = p.ask(ctx, "/-/healthy")
	}
	if errors.Is(err, errCertificate) {
		return true // it did answer
	}
	if err != nil {
		slog.Debug("asked for health", "err", err)
	}
	return err == nil
}
