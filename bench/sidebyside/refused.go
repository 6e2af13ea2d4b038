package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/servers"
)

const (
	refusedClients = 50
	rightClients   = 5
)

// refusedCases send credentials that are refused: of a user who exists, and of one who
// does not.
func refusedCases() []speedCase {
	refused := func(user string) func(context.Context, *bench) error {
		return func(ctx context.Context, b *bench) error {
			wrong := *b.Client
			wrong.User, wrong.Password = user, "wrong"
			req, err := wrong.Request(ctx, http.MethodHead, "config", nil)
			if err != nil {
				return err
			}
			return wrong.Drain(req, http.StatusUnauthorized, -1)
		}
	}
	return []speedCase{
		{name: "wrong password", clients: refusedClients, run: refused("module/" + servers.ModuleID)},
		{name: "unknown user", clients: refusedClients, run: refused("module/nobody1")},
	}
}

// runRefused measures what refused callers cost, beside the HAProxy of NethServer 8, and
// what they cost others.
func runRefused(ctx context.Context, o options, base string, redis *servers.Redis) error {
	gateway, err := servers.Program(o.gateway, "make build")
	if err != nil {
		return err
	}
	peer, err := servers.HAProxy()
	if err != nil {
		return err
	}
	all := []servers.Contestant{servers.Gateway(gateway, redis), peer, servers.Refuser(o.self)}
	for _, c := range all {
		if err := os.MkdirAll(rootDir(base, c), 0o700); err != nil {
			return err
		}
	}
	results := newResults(all)
	beside := map[string][]besideRefused{}
	for round := range o.rounds {
		for i := range all {
			c := all[(round+i)%len(all)]
			m, err := refusedRound(ctx, o, servers.Storage{Dir: rootDir(base, c)}, c, results, redis)
			if err != nil {
				return fmt.Errorf("%s: %w", c.Name, err)
			}
			beside[c.Name] = append(beside[c.Name], m)
		}
	}
	results.print(os.Stdout, refusedCases())
	printFloods(os.Stdout, results)
	printBeside(os.Stdout, all, beside)
	return nil
}

// refusedRound measures one server.
func refusedRound(ctx context.Context, o options, at servers.Storage, c servers.Contestant, results *results, redis *servers.Redis) (m besideRefused, err error) {
	s, err := c.Start(ctx, at)
	if err != nil {
		return m, err
	}
	b := &bench{Server: s}
	defer b.Stop()
	for _, sc := range refusedCases() {
		m, err := b.measure(ctx, sc, o)
		if err != nil {
			return besideRefused{}, fmt.Errorf("%s: %w", sc.name, err)
		}
		results.add(sc.name, c.Name, m)
	}
	return b.besideRefused(ctx, o, redis)
}

// besideRefused is what right callers notice of refused ones: the slowest of a hundred of
// their requests, with half of each kind of wrong ones beside them, and without; and how
// often Redis was read meanwhile.
type besideRefused struct {
	alone, beside time.Duration
	reads         float64 // a second
}

func (b *bench) besideRefused(ctx context.Context, o options, redis *servers.Redis) (m besideRefused, err error) {
	if err := b.Client.Create(ctx); err != nil {
		return m, err
	}
	if err := b.Client.PutConfig(ctx); err != nil {
		return m, err
	}
	if m.alone, err = b.slowest(ctx, o.duration); err != nil {
		return m, err
	}
	flood, stop := context.WithCancel(ctx)
	defer stop()
	var flooding sync.WaitGroup
	for _, sc := range refusedCases() {
		flooding.Go(func() { _, _ = b.load(flood, sc, refusedClients/2, time.Hour) }) // until it is stopped
	}
	before, err := redis.Reads(ctx)
	if err != nil {
		return m, err
	}
	began := time.Now()
	m.beside, err = b.slowest(ctx, o.duration)
	if err != nil {
		return m, err
	}
	after, err := redis.Reads(ctx)
	m.reads = float64(after-before) / time.Since(began).Seconds()
	stop()
	flooding.Wait()
	return m, err
}

// slowest is what the slowest of a hundred right requests take, at least, with a few clients.
func (b *bench) slowest(ctx context.Context, duration time.Duration) (time.Duration, error) {
	var mu sync.Mutex
	var took []time.Duration
	right := speedCase{run: func(ctx context.Context, b *bench) error {
		began := time.Now()
		req, err := b.Client.Request(ctx, http.MethodHead, "config", nil)
		if err == nil {
			err = b.Client.Drain(req, http.StatusOK, -1)
		}
		mu.Lock()
		defer mu.Unlock()
		took = append(took, time.Since(began))
		return err
	}}
	if _, err := b.load(ctx, right, rightClients, duration); err != nil {
		return 0, err
	}
	slices.Sort(took)
	return took[len(took)*99/100], nil
}

// printFloods prints what a server spends on callers who come again as soon as they are
// refused, in a second: a server that keeps them waiting spends less.
func printFloods(w io.Writer, r *results) {
	fmt.Fprintf(w, "\n| %d callers who do not stop | server | refused a second | CPU of that, ms | CPU ratio |\n|---|---|---:|---:|---:|\n", refusedClients)
	spent := func(m measurement) float64 { return 1000 * m.cpu.Seconds() / m.wall.Seconds() }
	for _, sc := range refusedCases() {
		own := median(r.rounds[sc.name][r.names[0]], spent)
		for _, name := range r.names {
			all := r.rounds[sc.name][name]
			fmt.Fprintf(w, "| %s | %s | %.0f | %.0f | %.2f |\n", sc.name, name, median(all, measurement.opsPerSecond), median(all, spent), own/median(all, spent))
		}
	}
}

func printBeside(w io.Writer, all []servers.Contestant, beside map[string][]besideRefused) {
	fmt.Fprintf(w, "\n| right requests beside %d refused callers | p99 ms alone | beside them | ratio | all rounds | reads of Redis a second |\n|---|---:|---:|---:|---:|---:|\n", refusedClients)
	for _, c := range all {
		rounds := beside[c.Name]
		var ratios []string
		for _, m := range rounds {
			ratios = append(ratios, fmt.Sprintf("%.1f", m.ratio()))
		}
		fmt.Fprintf(w, "| %s | %.2f | %.2f | %.1f | %s | %.2f |\n", c.Name,
			median(rounds, func(m besideRefused) float64 { return milliseconds(m.alone) }),
			median(rounds, func(m besideRefused) float64 { return milliseconds(m.beside) }),
			median(rounds, besideRefused.ratio), strings.Join(ratios, " "),
			median(rounds, func(m besideRefused) float64 { return m.reads }))
	}
}

func (m besideRefused) ratio() float64 { return m.beside.Seconds() / m.alone.Seconds() }
