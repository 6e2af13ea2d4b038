// Command sidebyside compares the gateway with its peers on this machine: the
// same load against each, in turns, within one run. What it prints is the
// server's own CPU, so that the noise of a shared machine and the cost of the
// client stay out of it. Linux only: it reads /proc.
//
//	go run ./bench/sidebyside -rest-server /path/to/rest-server
//	go run ./bench/sidebyside -mode memory
//	go run ./bench/sidebyside -mode backup
//
// See bench/README.md for what is measured, and how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

type options struct {
	mode       string
	gateway    string
	rclone     string
	restServer string
	restic     string
	minio      string
	dir        string
	only       string
	rounds     int
	clients    int
	objects    int
	duration   time.Duration
	size       int64
	delay      time.Duration
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
	var o options
	flag.StringVar(&o.mode, "mode", "speed", "what to measure: speed, memory or backup")
	flag.StringVar(&o.gateway, "gateway", "bin/rclone-gateway", "the gateway's binary (make build)")
	flag.StringVar(&o.rclone, "rclone", ".cache/bin/rclone", "rclone's binary (make deps)")
	flag.StringVar(&o.restServer, "rest-server", "", "rest-server's binary; without the flag it is looked for in PATH")
	flag.StringVar(&o.restic, "restic", ".cache/restic/0.18/restic", "restic's binary (make deps)")
	flag.StringVar(&o.minio, "minio", ".cache/bin/minio", "MinIO's binary (make deps)")
	flag.StringVar(&o.dir, "dir", "", "where to make the repositories; empty: the temporary directory")
	flag.StringVar(&o.only, "only", "", "measure only what has this in its name: cases of speed, ways of a backup")
	flag.IntVar(&o.rounds, "rounds", 5, "how often to measure each case with each server; medians are printed")
	flag.IntVar(&o.clients, "clients", 5, "how many requests are under way at once")
	flag.IntVar(&o.objects, "objects", 100_000, "how many objects the long list has")
	flag.DurationVar(&o.duration, "duration", 6*time.Second, "how long to measure one case with one server")
	flag.Int64Var(&o.size, "size", 2, "how many GiB to back up")
	flag.DurationVar(&o.delay, "delay", 20*time.Millisecond, "how long S3 keeps each request of a backup waiting")
	flag.Parse()
	return o
}

func run(ctx context.Context, o options) error {
	base, err := os.MkdirTemp(o.dir, "sidebyside")
	if err != nil {
		return err
	}
	defer os.RemoveAll(base)

	redis, err := startRedis(ctx, base)
	if err != nil {
		return err
	}
	defer redis.stop()

	switch o.mode {
	case "speed":
		return runSpeed(ctx, o, base, redis)
	case "memory":
		return runMemory(ctx, o, base, redis)
	case "backup":
		return runBackup(ctx, o, base, redis)
	default:
		return fmt.Errorf("mode %q is none of speed, memory, backup", o.mode)
	}
}

// contestants are the servers there are binaries of. The gateway and rclone must
// be there; rest-server may be absent.
func contestants(o options, redis *redisServer) ([]contestant, error) {
	gateway, err1 := program(o.gateway, "make build")
	rclone, err2 := program(o.rclone, "make deps")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	all := []contestant{gatewayContestant(gateway, redis), rcloneContestant(rclone)}

	name := o.restServer
	if name == "" {
		name = "rest-server"
	}
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		all = slices.Insert(all, 1, restServerContestant(path))
	case o.restServer != "":
		return nil, err
	default:
		fmt.Fprintln(os.Stderr, "no rest-server in PATH and no -rest-server: measuring without it")
	}
	return all, nil
}

// program finds a binary, and says how to make it where it is missing.
func program(name, remedy string) (string, error) {
	if strings.ContainsRune(name, filepath.Separator) {
		if _, err := os.Stat(name); err != nil {
			return "", fmt.Errorf("%w: run %q first", err, remedy)
		}
		return filepath.Abs(name)
	}
	return exec.LookPath(name)
}
