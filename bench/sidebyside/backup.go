package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// sourceFile is the size of the files that are backed up.
const sourceFile = 16 * miB

// A route is a way by which restic reaches an S3 storage.
type route struct {
	name string
	// open makes the way to a bucket: the server between, unless there is none, and
	// what restic must know.
	open func(ctx context.Context, at storage) (s *server, repository string, env []string, err error)
}

// through is the route through a contestant.
func through(c contestant) route {
	open := func(ctx context.Context, at storage) (*server, string, []string, error) {
		s, err := c.start(ctx, at)
		if err != nil {
			return nil, "", nil, err
		}
		env := []string{"RESTIC_REST_USERNAME=" + s.client.user, "RESTIC_REST_PASSWORD=" + s.client.password}
		return s, "rest:" + s.client.base, env, nil
	}
	return route{name: c.name, open: open}
}

// direct is restic's own way to S3.
func direct() route {
	open := func(_ context.Context, at storage) (*server, string, []string, error) {
		env := append(at.trust(), "AWS_ACCESS_KEY_ID="+s3Key, "AWS_SECRET_ACCESS_KEY="+s3Secret)
		return nil, "s3:" + at.endpoint + "/" + at.bucket + "/" + repository, env, nil
	}
	return route{name: "restic's own S3", open: open}
}

// A backup is what one backup took.
type backup struct {
	wall   time.Duration
	client time.Duration // CPU of restic
	server time.Duration // CPU of the server between
	store  time.Duration // CPU of the storage
	asked  int64         // requests to the storage
}

// runBackup backs the same files up to S3 by every route, in turns, each time
// into a repository of its own, and prints how long that took.
func runBackup(ctx context.Context, o options, base string, redis *redisServer) error {
	routes, err := backupRoutes(o, redis)
	if err != nil {
		return err
	}
	routes = slices.DeleteFunc(routes, func(r route) bool { return !strings.Contains(r.name, o.only) })
	if len(routes) == 0 {
		return fmt.Errorf("no way's name contains %q", o.only)
	}
	source := filepath.Join(base, "source")
	if err := makeSource(source, max(1, o.size*miB/sourceFile)); err != nil {
		return err
	}
	taken := map[string][]backup{}
	for round := range o.rounds {
		for _, r := range slices.Concat(routes[round%len(routes):], routes[:round%len(routes)]) {
			b, err := measureBackup(ctx, o, base, source, r)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s: %.2f s\n", round+1, o.rounds, r.name, b.wall.Seconds())
			taken[r.name] = append(taken[r.name], b)
		}
	}
	printBackups(os.Stdout, o, routes, taken)
	return nil
}

func backupRoutes(o options, redis *redisServer) ([]route, error) {
	all, err := contestants(o, redis)
	if err != nil {
		return nil, err
	}
	var routes []route
	for _, c := range all {
		if c.s3 {
			routes = append(routes, through(c))
		}
	}
	return append(routes, direct()), nil
}

// makeSource makes n files that neither compress nor share a chunk.
func makeSource(dir string, n int) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	random := rand.NewChaCha8([32]byte{})
	content := make([]byte, sourceFile)
	for i := range n {
		_, _ = random.Read(content) // it never fails
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d", i)), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// measureBackup makes an empty storage, a way to it and a repository, and measures
// one backup to it.
func measureBackup(ctx context.Context, o options, base, source string, r route) (b backup, err error) {
	dir, err := os.MkdirTemp(base, "backup")
	if err != nil {
		return b, err
	}
	defer os.RemoveAll(dir)
	s3, endpoint, err := startMinIO(ctx, o.minio, filepath.Join(dir, "storage"))
	if err != nil {
		return b, err
	}
	defer s3.stop()
	certificate := filepath.Join(dir, "certificate")
	away, err := startDistance(endpoint, certificate, o.delay)
	if err != nil {
		return b, err
	}
	defer away.stop()
	s, repository, env, err := r.open(ctx, storage{endpoint: away.endpoint, bucket: s3Bucket, certificate: certificate})
	if err != nil {
		return b, err
	}
	var between *process
	if s != nil {
		between = s.process
		defer s.stop()
	}
	env = append(env, "RESTIC_REPOSITORY="+repository, "RESTIC_PASSWORD="+password, "RESTIC_CACHE_DIR="+filepath.Join(dir, "cache"))
	if _, err := runRestic(ctx, o.restic, env, "init"); err != nil {
		return b, err
	}
	asked := away.asked.Load()
	server, err1 := between.cpu()
	store, err2 := s3.cpu()
	began := time.Now()
	b.client, err = runRestic(ctx, o.restic, env, "backup", "--quiet", source)
	b.wall = time.Since(began)
	serverThen, err3 := between.cpu()
	storeThen, err4 := s3.cpu()
	b.server, b.store, b.asked = serverThen-server, storeThen-store, away.asked.Load()-asked
	return b, errors.Join(err, err1, err2, err3, err4)
}

// runRestic returns the CPU that a command of restic took.
func runRestic(ctx context.Context, restic string, env []string, args ...string) (time.Duration, error) {
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, restic, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("restic %s: %w\n%s", args[0], err, &output)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// printBackups writes a table of medians. The gateway's ratio to another way is
// the median of the rounds' ratios, below 1 where the gateway is faster.
func printBackups(w io.Writer, o options, routes []route, taken map[string][]backup) {
	fmt.Fprintf(w, "| %d MiB to S3, %v a request | seconds | all rounds | ratio | requests | CPU of restic | of the server | of S3 |\n", o.size, o.delay)
	fmt.Fprintln(w, "|---|---:|---:|---:|---:|---:|---:|---:|")
	own := taken[routes[0].name]
	for i, r := range routes {
		all := taken[r.name]
		ratio := ""
		if i > 0 {
			ratio = fmt.Sprintf("%s takes %.2f×", routes[0].name, middle(wallRatios(own, all)))
		}
		var rounds []string
		for _, b := range all {
			rounds = append(rounds, fmt.Sprintf("%.1f", b.wall.Seconds()))
		}
		fmt.Fprintf(w, "| %s | %.1f | %s | %s | %.0f | %.1f | %.1f | %.1f |\n", r.name,
			median(all, func(b backup) float64 { return b.wall.Seconds() }), strings.Join(rounds, " "), ratio,
			median(all, func(b backup) float64 { return float64(b.asked) }),
			median(all, func(b backup) float64 { return b.client.Seconds() }),
			median(all, func(b backup) float64 { return b.server.Seconds() }),
			median(all, func(b backup) float64 { return b.store.Seconds() }))
	}
}

func wallRatios(own, other []backup) []float64 {
	var ratios []float64
	for i := range own {
		ratios = append(ratios, own[i].wall.Seconds()/other[i].wall.Seconds())
	}
	return ratios
}
