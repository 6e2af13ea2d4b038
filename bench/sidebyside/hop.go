package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/servers"
)

// hopCases are those of the speed mode that move bytes.
func hopCases() []speedCase {
	var cases []speedCase
	for _, c := range speedCases() {
		if c.bytes > 0 {
			cases = append(cases, c)
		}
	}
	return cases
}

// runHop measures what a node costs that passes on what another one has on its disk.
func runHop(ctx context.Context, o options, base string, redis *servers.Redis) error {
	gateway, err := servers.Program(o.gateway, "make build")
	if err != nil {
		return err
	}
	// Both stand before the gateway of the node that has the disk.
	all := []servers.Contestant{servers.Hop(gateway, redis), servers.Relay(gateway, o.self, redis)}
	for _, c := range all {
		if err := os.MkdirAll(rootDir(base, c), 0o700); err != nil {
			return err
		}
	}
	results := newResults(all)
	for round := range o.rounds {
		for i := range all {
			c := all[(round+i)%len(all)]
			if err := hopRound(ctx, o, base, c, results); err != nil {
				return fmt.Errorf("%s: %w", c.Name, err)
			}
		}
	}
	results.print(os.Stdout, hopCases())
	return nil
}

func hopRound(ctx context.Context, o options, base string, c servers.Contestant, results *results) error {
	b, err := newBench(ctx, o, base, c)
	if err != nil {
		return err
	}
	defer b.Stop()
	for _, sc := range hopCases() {
		m, err := b.measure(ctx, sc, o)
		if err != nil {
			return fmt.Errorf("%s: %w\n%s\n%s", sc.name, err, b.Output, b.Behind.Output)
		}
		results.add(sc.name, c.Name, m)
	}
	return nil
}

// runRelay passes each connection on to another address until ctx ends.
func runRelay(ctx context.Context, listen, to string) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	for {
		from, err := listener.Accept()
		if err != nil {
			return ctx.Err()
		}
		go relay(ctx, from, to)
	}
}

func relay(ctx context.Context, from net.Conn, address string) {
	defer from.Close()
	var dialer net.Dialer
	to, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer to.Close()
	var ways sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		ways.Go(func() {
			_, _ = io.Copy(way[1], way[0]) // the kernel does it, between two sockets
			_ = way[1].(*net.TCPConn).CloseWrite()
		})
	}
	ways.Wait()
}
