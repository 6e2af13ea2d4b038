package main

import (
	"context"
	"fmt"
	"os"

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
