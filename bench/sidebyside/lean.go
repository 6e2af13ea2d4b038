package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/restclient"
	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/servers"
)

// A leanRow is one of the table that has figures of the gateway alone: of its start and
// of its memory.
type leanRow struct {
	name, unit string
	target     float64
	measure    func(ctx context.Context, o options, base string, gateway servers.Contestant) ([]float64, error)
}

func leanRows() []leanRow {
	return []leanRow{
		{"start to ready", "ms", 150, startTimes},
		{"64 uploads of 64 MiB, peak memory with the start", "MiB", 40, uploadPeaks},
		{"list, 8 clients, peak memory", "MiB", 80, listPeaks(1, 8)},
		{"list of 10 times as many, peak memory in relation to that list", "", 1.1, longListPeaks},
		{"idle, memory", "MiB", 20, idleMemory},
	}
}

// runLean prints these rows, and those of the first byte of a list.
func runLean(ctx context.Context, o options, base string, redis *servers.Redis, benches map[string]*bench) error {
	if err := firstBytes(ctx, o, benches); err != nil {
		return err
	}
	gateway, err := servers.Program(o.gateway, "make build")
	if err != nil {
		return err
	}
	for _, row := range leanRows() {
		if !strings.Contains(row.name, o.only) {
			continue
		}
		fmt.Fprintln(os.Stderr, row.name)
		figures, err := row.measure(ctx, o, base, servers.Gateway(gateway, redis))
		if err != nil {
			return fmt.Errorf("%s: %w", row.name, err)
		}
		printLean(row, figures)
	}
	return nil
}

func printLean(row leanRow, figures []float64) {
	show := twoDigits
	if row.unit != "" {
		show = func(f float64) string { return fmt.Sprintf("%.0f %s", f, row.unit) }
	}
	fmt.Printf("| %s | – | %s | %s | %s |\n", row.name, cmp.Or(row.unit, "ratio"), spread(figures, " | ", show), show(row.target))
}

// firstBytes prints how long the gateway takes for the first byte of a long list.
func firstBytes(ctx context.Context, o options, benches map[string]*bench) error {
	row := leanRow{name: "list, first byte", unit: "ms", target: 20}
	if !strings.Contains(row.name, o.only) {
		return nil
	}
	var took []float64
	for range o.rounds {
		first, err := benches["gateway"].long.FirstByte(ctx, "data/")
		if err != nil {
			return err
		}
		took = append(took, milliseconds(first))
	}
	printLean(row, took)
	return nil
}

// startTimes starts the gateway in each round, and stops it.
func startTimes(ctx context.Context, o options, base string, gateway servers.Contestant) (took []float64, err error) {
	for range o.rounds {
		server, err := gateway.Start(ctx, servers.Storage{Dir: base})
		if err != nil {
			return nil, err
		}
		took = append(took, milliseconds(server.Took))
		server.Stop()
	}
	return took, nil
}

// uploadPeaks has the larger one of the peaks of a start and of the uploads that follow.
func uploadPeaks(ctx context.Context, o options, base string, gateway servers.Contestant) ([]float64, error) {
	start, busy, err := measureMemory(ctx, o, base, gateway, false)
	if err == nil && busy.ops < int64(o.uploads) {
		err = fmt.Errorf("%d of %d uploads failed", int64(o.uploads)-busy.ops, o.uploads)
	}
	return []float64{max(start.peakMiB(), busy.peakMiB())}, err
}

// listPeaks lists times as many objects as the options say with so many clients at once.
func listPeaks(times, clients int) func(context.Context, options, string, servers.Contestant) ([]float64, error) {
	return func(ctx context.Context, o options, base string, gateway servers.Contestant) ([]float64, error) {
		dir, err := os.MkdirTemp(base, "links")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		if err := makeLinks(o.objects*times, filepath.Join(dir, filepath.FromSlash(servers.LongRepository))); err != nil {
			return nil, err
		}
		server, err := gateway.Start(ctx, servers.Storage{Dir: dir})
		if err != nil {
			return nil, err
		}
		defer server.Stop()
		b := &bench{Server: server, long: server.Client.In(servers.LongRepository), count: o.objects * times}
		if err := listLong(false)(ctx, b); err != nil {
			return nil, err
		}
		m, err := b.measure(ctx, speedCase{clients: clients, run: listLong(false)}, o)
		return []float64{m.peakMiB()}, err
	}
}

func longListPeaks(ctx context.Context, o options, base string, gateway servers.Contestant) ([]float64, error) {
	long, err1 := listPeaks(10, 1)(ctx, o, base, gateway)
	short, err2 := listPeaks(1, 1)(ctx, o, base, gateway)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return []float64{long[0] / short[0]}, nil
}

// linksOfAFile is less than what file systems allow.
const linksOfAFile = 60_000

// makeLinks makes a repository of n objects that are the same few files, which takes less
// time than to make each.
func makeLinks(n int, dir string) error {
	for shard := range 256 {
		if err := os.MkdirAll(filepath.Join(dir, "data", fmt.Sprintf("%02x", shard)), 0o700); err != nil {
			return err
		}
	}
	file := ""
	for i := range n {
		if i%linksOfAFile == 0 {
			file = filepath.Join(dir, fmt.Sprintf("file%d", i))
			if err := os.WriteFile(file, []byte(restclient.Config), 0o600); err != nil {
				return err
			}
		}
		shard := fmt.Sprintf("%02x", i%256)
		if err := os.Link(file, filepath.Join(dir, "data", shard, fmt.Sprintf("%s%062x", shard, i))); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "config"), []byte(restclient.Config), 0o600)
}

const (
	// idleAfter is when a gateway without requests has given back what it no longer needs.
	idleAfter = 20 * time.Second
	// idleFor is how long it is looked at then, in which it reads Redis once.
	idleFor = 30 * time.Second
)

// idleMemory is what a gateway without requests has resident, each second.
func idleMemory(ctx context.Context, o options, base string, gateway servers.Contestant) ([]float64, error) {
	server, err := gateway.Start(ctx, servers.Storage{Dir: base})
	if err != nil {
		return nil, err
	}
	defer server.Stop()
	if o.objects >= fewObjects {
		if err := pause(ctx, idleAfter); err != nil {
			return nil, err
		}
	}
	var resident []float64
	for range int(idleFor / time.Second) {
		bytes, err := server.Status("VmRSS:")
		if err != nil {
			return nil, err
		}
		resident = append(resident, float64(bytes)/miB)
		if o.objects < fewObjects {
			break
		}
		if err := pause(ctx, time.Second); err != nil {
			return nil, err
		}
	}
	return resident, nil
}

// fewObjects is below what anybody measures: it is a quick look.
const fewObjects = 10_000

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
