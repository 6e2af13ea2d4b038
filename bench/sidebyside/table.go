package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/servers"
)

// A row of the table compares the gateway with one peer in one case.
type row struct {
	name    string // the case's
	whose   string // empty: the gateway's
	against string
	what    string
	ratio   func(own, peer measurement) float64
	target  float64
	more    bool // the target is the least
}

func ofCPU(own, peer measurement) float64 {
	return own.perOp(own.cpu) / peer.perOp(peer.cpu)
}

func ofThroughput(own, peer measurement) float64 {
	return own.opsPerSecond() / peer.opsPerSecond()
}

func ofTime(own, peer measurement) float64 {
	return own.perOp(own.wall) / peer.perOp(peer.wall)
}

func ofPeak(own, peer measurement) float64 { return float64(own.peak) / float64(peer.peak) }

const (
	restServer = "rest-server"
	before     = "before"
	serveFile  = "http.ServeFile"
	nothing    = "net/http that does nothing"
	theLoop    = "a loop that reads, hashes, writes, syncs"
	theLeast   = "net/http with the least"
)

// rows are those of the table. With a binary to compare with, they are all cases with
// it, and nothing else.
func rows(o options) []row {
	if o.before != "" {
		var rows []row
		for _, c := range speedCases() {
			rows = append(rows, row{name: c.name, against: before, what: "CPU", ratio: ofCPU}, row{name: c.name, against: before, what: "throughput", ratio: ofThroughput})
		}
		return rows
	}
	return []row{
		{name: "HEAD", against: restServer, what: "CPU", ratio: ofCPU, target: 0.75},
		{name: "HEAD", against: serveFile, what: "CPU", ratio: ofCPU},
		{name: "HEAD", against: nothing, what: "CPU", ratio: ofCPU},
		{name: "HEAD", against: theLeast, what: "CPU", ratio: ofCPU},
		{name: "HEAD", whose: theLeast, against: restServer, what: "CPU", ratio: ofCPU},
		{name: "POST 64 KiB", against: restServer, what: "CPU", ratio: ofCPU, target: 0.75},
		{name: "POST 64 KiB", against: theLoop, what: "CPU", ratio: ofCPU},
		{name: "POST 64 KiB", against: theLeast, what: "CPU", ratio: ofCPU},
		{name: "POST 64 KiB", whose: theLeast, against: restServer, what: "CPU", ratio: ofCPU},
		{name: "POST 64 KiB", against: restServer, what: "throughput", ratio: ofThroughput, target: 1.2, more: true},
		{name: "POST 64 KiB", whose: theLeast, against: restServer, what: "throughput", ratio: ofThroughput},
		{name: "POST 64 KiB, 32 clients", against: restServer, what: "throughput", ratio: ofThroughput, target: 1.5, more: true},
		{name: "POST 64 KiB, 32 clients", whose: theLeast, against: restServer, what: "throughput", ratio: ofThroughput},
		{name: "lock cycle", against: restServer, what: "CPU", ratio: ofCPU, target: 0.75},
		{name: "lock cycle", against: theLeast, what: "CPU", ratio: ofCPU},
		{name: "lock cycle", whose: theLeast, against: restServer, what: "CPU", ratio: ofCPU},
		{name: "POST 16 MiB", against: restServer, what: "CPU", ratio: ofCPU, target: 0.8},
		{name: "POST 16 MiB", against: theLoop, what: "CPU", ratio: ofCPU, target: 1.15},
		{name: "GET 16 MiB", against: serveFile, what: "CPU", ratio: ofCPU, target: 0.9},
		{name: "GET 16 MiB", against: theLeast, what: "CPU", ratio: ofCPU},
		{name: "GET 16 MiB", whose: theLeast, against: serveFile, what: "CPU", ratio: ofCPU},
		{name: "range 64 KiB", against: serveFile, what: "CPU", ratio: ofCPU, target: 0.65},
		{name: "range 64 KiB", against: theLeast, what: "CPU", ratio: ofCPU},
		{name: "range 64 KiB", whose: theLeast, against: serveFile, what: "CPU", ratio: ofCPU},
		{name: "list", against: restServer, what: "time", ratio: ofTime, target: 0.5},
		{name: "list", against: restServer, what: "CPU", ratio: ofCPU},
		{name: "list", against: theLeast, what: "time", ratio: ofTime},
		{name: "list", whose: theLeast, against: restServer, what: "time", ratio: ofTime},
		{name: "list", whose: theLeast, against: restServer, what: "CPU", ratio: ofCPU},
		{name: "list, 8 clients", against: restServer, what: "peak memory", ratio: ofPeak, target: 0.27},
		{name: "mixed, 8 clients", against: restServer, what: "CPU", ratio: ofCPU, target: 0.7},
		{name: "mixed, 8 clients", against: theLeast, what: "CPU", ratio: ofCPU},
		{name: "mixed, 8 clients", whose: theLeast, against: restServer, what: "CPU", ratio: ofCPU},
	}
}

// twoBuilds returns the gateway and the build of it that -before names, each with a Redis of
// its own, or nothing without that flag. Stop ends the second one's Redis.
func twoBuilds(ctx context.Context, o options, base string, redis *servers.Redis) (all []servers.Contestant, stop func(), err error) {
	if o.before == "" {
		return nil, func() {}, nil
	}
	gateway, err1 := servers.Program(o.gateway, "make build")
	earlier, err2 := servers.Program(o.before, "make build")
	if err := errors.Join(err1, err2); err != nil {
		return nil, nil, err
	}
	other, err := servers.StartRedis(ctx, base)
	if err != nil {
		return nil, nil, err
	}
	second := servers.Gateway(earlier, other)
	second.Name = before
	return []servers.Contestant{servers.Gateway(gateway, redis), second}, other.Stop, nil
}

// peersOf are the servers that a case is compared with, behind the gateway.
func peersOf(rows []row, all []servers.Contestant, name string) []servers.Contestant {
	return slices.DeleteFunc(slices.Clone(all), func(c servers.Contestant) bool {
		return c.Name != all[0].Name && !slices.ContainsFunc(rows, func(r row) bool { return r.name == name && (r.against == c.Name || r.whose == c.Name) })
	})
}

// longCount is how many objects the long list of a server has: one where nobody asks for it.
func longCount(o options, all []servers.Contestant, server servers.Contestant) int {
	asked := o.only == "" || strings.Contains(o.only, "list")
	lists := slices.ContainsFunc(peersOf(rows(o), all, "list"), func(c servers.Contestant) bool { return c.Name == server.Name })
	if asked && lists {
		return o.objects
	}
	return 1
}

// runTable measures what the table of docs/performance.md has, and prints ratios alone.
func runTable(ctx context.Context, o options, base string, redis *servers.Redis) error {
	all, err := tableContestants(o, redis)
	if err != nil {
		return err
	}
	if len(o.builds) > 0 {
		all = o.builds
	}
	for _, c := range all {
		if err := makeObjects(longCount(o, all, c), longDir(base, c)); err != nil {
			return err
		}
	}
	benches, err := startAll(ctx, o, base, all)
	defer func() {
		for _, b := range benches {
			b.Stop()
		}
	}()
	if err != nil {
		return err
	}
	if err := tableCases(ctx, o, all, benches); err != nil || o.before != "" {
		return err
	}
	if err := runLean(ctx, o, base, redis, benches); err != nil || o.only != "" {
		return err
	}
	return farRows(ctx, o, base, redis)
}

// tableCases measures the cases that a peer is to be compared in, and prints their rows.
func tableCases(ctx context.Context, o options, all []servers.Contestant, benches map[string]*bench) error {
	describeMachine(os.Stdout)
	fmt.Println("| work | against | what | ratio | half of the rounds | to be reached |")
	fmt.Println("|---|---|---|---:|---|---:|")
	results := newResults(all)
	for _, sc := range speedCases() {
		peers := peersOf(rows(o), all, sc.name)
		if !strings.Contains(sc.name, o.only) || len(peers) < 2 {
			continue
		}
		fmt.Fprintln(os.Stderr, sc.name)
		if err := inTurns(ctx, o, peers, benches, sc, results); err != nil {
			return err
		}
		results.printRows(os.Stdout, rows(o), sc.name)
	}
	return nil
}

// farRows measures what the mode far has more of, with little data.
func farRows(ctx context.Context, o options, base string, redis *servers.Redis) error {
	routes, err := farRoutes(o, redis)
	if err != nil {
		return err
	}
	o.rounds, o.size, o.packs = min(o.rounds, tableRounds), min(o.size, tableSize), min(o.packs, tablePacks)
	f, err := measureFar(ctx, o, base, routes)
	if err != nil {
		return err
	}
	f.printRows(os.Stdout)
	return nil
}

// What the table measures of a storage far away, so that it takes a minute.
const (
	tableRounds = 2
	tableSize   = 256
	tablePacks  = 500
)

// inTurns measures a case with all servers that it is compared with, for a moment each,
// so that what else the machine does meets them alike.
func inTurns(ctx context.Context, o options, all []servers.Contestant, benches map[string]*bench, sc speedCase, results *results) error {
	for round := range o.rounds {
		order := slices.Concat(all[round%len(all):], all[:round%len(all)])
		if err := measureEach(ctx, o, order, benches, sc, results); err != nil {
			return err
		}
	}
	return nil
}

// tableContestants are the gateway, and what the table compares it with.
func tableContestants(o options, redis *servers.Redis) ([]servers.Contestant, error) {
	all, err := contestants(o, redis)
	if err != nil {
		return nil, err
	}
	return append(all[:2:2],
		servers.Least(serveFile, o.self, "files"),
		servers.Least(theLoop, o.self, "uploads"),
		servers.Least(nothing, o.self, "nothing"),
		servers.Least(theLeast, o.self, "objects"),
	), nil
}

// printRows prints what a case costs the gateway in relation to what it costs a peer: the
// median of all rounds, and what half of them lie between.
func (r *results) printRows(w io.Writer, rows []row, name string) {
	for _, row := range rows {
		if row.name != name {
			continue
		}
		own, peer := r.rounds[row.name][cmp.Or(row.whose, r.names[0])], r.rounds[row.name][row.against]
		var ratios []float64
		for i := range min(len(own), len(peer)) {
			ratios = append(ratios, row.ratio(own[i], peer[i]))
		}
		if len(ratios) == 0 {
			continue
		}
		what := row.what
		if row.whose != "" {
			what += " of " + row.whose
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", row.name, row.against, what, spread(ratios, " | ", twoDigits), row.goal())
	}
}

func (r row) goal() string {
	switch {
	case r.target == 0:
		return ""
	case r.more:
		return fmt.Sprintf("at least %.2f", r.target)
	}
	return fmt.Sprintf("%.2f", r.target)
}

func (m measurement) perOp(d time.Duration) float64 { return d.Seconds() / float64(max(m.ops, 1)) }

// describeMachine prints what the figures depend on.
func describeMachine(w io.Writer) {
	model := "unknown"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Fprintf(w, "%s, %d processors, Linux %s, %s, load %s\n\n", model, runtime.NumCPU(),
		strings.TrimSpace(string(kernel)), runtime.Version(), strings.TrimSpace(string(load)))
}
