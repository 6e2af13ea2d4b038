// Command sidebyside compares the gateway with its peers on this machine: the
// same load against each, in turns, within one run. What it prints is the
// server's own CPU, so that the noise of a shared machine and the cost of the
// client stay out of it. Linux only: it reads /proc.
//
//	go run ./bench/sidebyside
//	go run ./bench/sidebyside -mode speed
//	go run ./bench/sidebyside -mode memory
//	go run ./bench/sidebyside -mode far
//	go run ./bench/sidebyside -mode hop
//	go run ./bench/sidebyside -mode undo
//	go run ./bench/sidebyside -mode refused
//
// See bench/README.md for what is measured, and how. What is measured is here; who is
// compared is in servers, what speaks to them in restclient, how S3 gets far away in far,
// and the least that can do a server's work in floor.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/far"
	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/floor"
	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/servers"
)

type options struct {
	mode       string
	gateway    string
	rclone     string
	restServer string
	restic     string
	minio      string
	before     string
	dir        string
	only       string
	rounds     int
	clients    int
	objects    int
	duration   time.Duration
	size       int
	packs      int
	delay      time.Duration
	stored     int // objects that the speed mode reads
	uploads    int // at once, in the memory mode
	listen, to string
	self       string // this program, which is started for what stands beside a server

	builds []servers.Contestant // with before: the gateway, and that one
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, parseFlags())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sidebyside:", err)
		os.Exit(1)
	}
}

func parseFlags() options {
	o := options{stored: 8, uploads: 64}
	flag.StringVar(&o.mode, "mode", "table", "what to measure: table, speed, memory, far, hop, undo or refused; relay, files, uploads, nothing, refuse and forward: be what the gateway is compared with")
	flag.StringVar(&o.gateway, "gateway", "bin/rclone-gateway", "the gateway's binary (make build)")
	flag.StringVar(&o.rclone, "rclone", ".cache/bin/rclone", "rclone's binary (make deps)")
	flag.StringVar(&o.restServer, "rest-server", ".cache/bin/rest-server", "rest-server's binary (make deps)")
	flag.StringVar(&o.restic, "restic", ".cache/restic/0.18/restic", "restic's binary (make deps)")
	flag.StringVar(&o.minio, "minio", ".cache/bin/minio", "MinIO's binary (make deps)")
	flag.StringVar(&o.before, "before", "", "another binary of the gateway, which the table then compares with")
	flag.StringVar(&o.dir, "dir", "", "where to make the repositories; empty: the temporary directory")
	flag.StringVar(&o.only, "only", "", "measure only what has this in its name: cases of speed; servers of memory; of what is far away one step of restic, and those that it needs")
	flag.IntVar(&o.rounds, "rounds", 0, "0: 12 in the mode table, else 5; how often to measure each case with each server; medians are printed")
	flag.IntVar(&o.clients, "clients", 5, "how many requests are under way at once")
	flag.IntVar(&o.objects, "objects", 100_000, "how many objects the long list has")
	flag.DurationVar(&o.duration, "duration", 0, "0: 300ms in the mode table, else 6s; how long to measure one case with one server")
	flag.IntVar(&o.size, "size", 2048, "how many MiB to back up to a storage far away")
	flag.IntVar(&o.packs, "packs", 2000, "how many packs a prune far away deletes")
	flag.DurationVar(&o.delay, "delay", 20*time.Millisecond, "how far away S3 is: the time there and back")
	flag.StringVar(&o.listen, "listen", "", "address to listen on, for what the gateway is compared with")
	flag.StringVar(&o.to, "to", "", "where to pass everything on to: an address for a relay, the URL of a bucket for forward, the credentials that are right for refuse")
	quick := flag.Bool("quick", false, "a quick look: a little of everything, once, whatever the other flags say of rounds and sizes")
	flag.Parse()
	rounds, duration := 5, 6*time.Second
	if o.mode == "table" {
		rounds, duration = 12, 300*time.Millisecond
	}
	o.rounds, o.duration = cmp.Or(o.rounds, rounds), cmp.Or(o.duration, duration)
	if *quick {
		o.rounds, o.objects, o.duration = 1, 1000, 100*time.Millisecond
		o.stored, o.uploads, o.size, o.packs = 2, 2, 32, 50
	}
	return o
}

func run(ctx context.Context, o options) error {
	if work := works[o.mode]; work != nil {
		return measure(ctx, o, work)
	}
	return compare(ctx, o)
}

// works are what is measured, by mode.
var works = map[string]func(ctx context.Context, o options, base string, redis *servers.Redis) error{
	"table": runTable, "speed": runSpeed, "memory": runMemory, "far": runFar, "hop": runHop, "undo": runUndo, "refused": runRefused,
}

// compare is, until it is stopped, what the gateway is compared with.
func compare(ctx context.Context, o options) error {
	switch o.mode {
	case "relay":
		return floor.Relay(ctx, o.listen, o.to)
	case "files":
		return floor.Files(ctx, o.listen, o.dir)
	case "objects":
		return floor.Objects(ctx, o.listen, o.dir, servers.ModuleID, servers.Password)
	case "nothing":
		return floor.Nothing(ctx, o.listen, bigSize)
	case "uploads":
		return floor.Uploads(ctx, o.listen, o.dir)
	case "refuse":
		return floor.Refuse(ctx, o.listen, o.to)
	case "forward":
		return far.Forward(ctx, o.listen, o.to, servers.S3Key, servers.S3Secret)
	}
	return fmt.Errorf("mode %q is not table, speed, memory, far, hop, undo, refused, relay, files, objects, uploads, nothing, refuse or forward", o.mode)
}

// measure does the work, with a Redis and in a directory that are removed at its end.
func measure(ctx context.Context, o options, work func(context.Context, options, string, *servers.Redis) error) (err error) {
	if o.self, err = os.Executable(); err != nil {
		return err
	}
	base, err := os.MkdirTemp(o.dir, "sidebyside")
	if err != nil {
		return err
	}
	defer os.RemoveAll(base)

	redis, err := servers.StartRedis(ctx, base)
	if err != nil {
		return err
	}
	defer redis.Stop()
	builds, stop, err := twoBuilds(ctx, o, base, redis)
	if err != nil {
		return err
	}
	defer stop()
	o.builds = builds

	return work(ctx, o, base, redis)
}

// contestants are the servers to compare, the gateway first.
func contestants(o options, redis *servers.Redis) ([]servers.Contestant, error) {
	gateway, err1 := servers.Program(o.gateway, "make build")
	restServer, err2 := servers.Program(o.restServer, "make deps")
	rclone, err3 := servers.Program(o.rclone, "make deps")
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	return []servers.Contestant{servers.Gateway(gateway, redis), servers.RestServer(restServer), servers.Rclone(rclone)}, nil
}
