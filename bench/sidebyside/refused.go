package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
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
			wrong := *b.client
			wrong.user, wrong.password = user, "wrong"
			req, err := wrong.request(ctx, http.MethodHead, "config", nil)
			if err != nil {
				return err
			}
			return wrong.drain(req, http.StatusUnauthorized, -1)
		}
	}
	return []speedCase{
		{name: "wrong password", clients: refusedClients, run: refused("module/" + moduleID)},
		{name: "unknown user", clients: refusedClients, run: refused("module/nobody1")},
	}
}

// runRefused measures what refused callers cost, beside the HAProxy of NethServer 8, and
// what they cost others.
func runRefused(ctx context.Context, o options, base string, redis *redisServer) error {
	gateway, err := program(o.gateway, "make build")
	if err != nil {
		return err
	}
	peer, err := haproxyContestant()
	if err != nil {
		return err
	}
	all := []contestant{gatewayContestant(gateway, redis), peer}
	for _, c := range all {
		if err := os.MkdirAll(rootDir(base, c), 0o700); err != nil {
			return err
		}
	}
	results := newResults(all)
	var beside []besideRefused
	for round := range o.rounds {
		for i := range all {
			c := all[(round+i)%len(all)]
			b, err := refusedRound(ctx, o, storage{dir: rootDir(base, c)}, c, results)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if c.name != all[0].name {
				continue
			}
			m, err := b.besideRefused(ctx, o, redis)
			b.stop()
			if err != nil {
				return err
			}
			beside = append(beside, m)
		}
	}
	results.print(os.Stdout, refusedCases())
	printBeside(os.Stdout, beside)
	return nil
}

// refusedRound measures one server, and leaves the gateway running.
func refusedRound(ctx context.Context, o options, at storage, c contestant, results *results) (*bench, error) {
	s, err := c.start(ctx, at)
	if err != nil {
		return nil, err
	}
	b := &bench{server: s}
	for _, sc := range refusedCases() {
		m, err := b.measure(ctx, sc, o)
		if err != nil {
			b.stop()
			return nil, fmt.Errorf("%s: %w", sc.name, err)
		}
		results.add(sc.name, c.name, m)
	}
	if c.name == "HAProxy" {
		b.stop()
	}
	return b, nil
}

// besideRefused is what right callers notice of refused ones: the slowest of a hundred of
// their requests, with half of each kind of wrong ones beside them, and without; and how
// often Redis was read meanwhile.
type besideRefused struct {
	alone, beside time.Duration
	reads         float64 // a second
}

func (b *bench) besideRefused(ctx context.Context, o options, redis *redisServer) (m besideRefused, err error) {
	if err := b.client.create(ctx); err != nil {
		return m, err
	}
	if err := b.client.putConfig(ctx); err != nil {
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
	before, err := redis.reads(ctx)
	if err != nil {
		return m, err
	}
	began := time.Now()
	m.beside, err = b.slowest(ctx, o.duration)
	if err != nil {
		return m, err
	}
	after, err := redis.reads(ctx)
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
		req, err := b.client.request(ctx, http.MethodHead, "config", nil)
		if err == nil {
			err = b.client.drain(req, http.StatusOK, -1)
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

var smembersCalls = regexp.MustCompile(`cmdstat_smembers:calls=(\d+)`)

// reads is how often the list of users was read.
func (r *redisServer) reads(ctx context.Context) (int64, error) {
	text, err := r.client.Info(ctx, "commandstats").Result()
	if err != nil {
		return 0, err
	}
	found := smembersCalls.FindStringSubmatch(text)
	if found == nil {
		return 0, nil
	}
	return strconv.ParseInt(found[1], 10, 64)
}

func printBeside(w io.Writer, all []besideRefused) {
	fmt.Fprintf(w, "\n| right requests beside %d refused callers: p99 ms alone | beside them | ratio | reads of Redis a second |\n|---:|---:|---:|---:|\n", refusedClients)
	for _, m := range all {
		ms := func(d time.Duration) float64 { return d.Seconds() * 1000 }
		fmt.Fprintf(w, "| %.2f | %.2f | %.1f | %.2f |\n", ms(m.alone), ms(m.beside), ms(m.beside)/ms(m.alone), m.reads)
	}
}
