package main

import (
	"context"
	"log/slog"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway"
)

func TestStopDoesNotWaitForAReloadFromARedisThatHangs(t *testing.T) {
	opts := gateway.Defaults()
	opts.Log = slog.New(slog.DiscardHandler)
	g, err := gateway.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	// It was not started, so that a reload takes as long as it may: 15 seconds.
	signals := make(chan os.Signal, 2)
	signals <- syscall.SIGHUP
	signals <- syscall.SIGTERM
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go handleSignals(ctx, signals, g, stop)
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Error("SIGTERM is not heard while a reload goes on")
	}
}
