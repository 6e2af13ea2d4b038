// Command demo shows the main use to a newcomer: a module of a cluster is backed up through
// the gateway, changes, is backed up again, is lost, and is restored. Everything is real
// except Redis, which is embedded, and is kept in one temporary directory.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	var s story
	flag.StringVar(&s.tree, "dir", os.Getenv("DIR"), "`directory` to back up")
	flag.BoolVar(&s.keep, "keep", os.Getenv("KEEP") != "", "leave everything running and print how to use it")
	flag.StringVar(&s.gateway, "gateway", "bin/rclone-gateway", "the gateway's `binary`")
	flag.StringVar(&s.client, "gatewayctl", "bin/gatewayctl", "the client's `binary`")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := s.tell(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}
