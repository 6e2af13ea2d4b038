package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/restclient"
	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/servers"
)

// sourceFile is the size of the files that are backed up.
const sourceFile = 16 * miB

// A route is a way by which restic reaches an S3 storage.
type route struct {
	name string
	// open makes the way to a bucket: the server between, unless there is none, and
	// what restic must know.
	open func(ctx context.Context, at servers.Storage) (s *servers.Server, repository string, env []string, err error)
	// pruner is who may delete packs, where that is not everybody.
	pruner string
}

// through is the route through a contestant.
func through(c servers.Contestant) route {
	open := func(ctx context.Context, at servers.Storage) (*servers.Server, string, []string, error) {
		s, err := c.Start(ctx, at)
		if err != nil {
			return nil, "", nil, err
		}
		env := []string{"RESTIC_REST_USERNAME=" + s.Client.User, "RESTIC_REST_PASSWORD=" + s.Client.Password}
		return s, "rest:" + s.Client.Base, env, nil
	}
	return route{name: c.Name, open: open}
}

// throughGateway is the route through one, where nodes alone may delete packs.
func throughGateway(c servers.Contestant) route {
	r := through(c)
	r.pruner = servers.NodeUser
	return r
}

// direct is restic's own way to S3.
func direct() route {
	open := func(_ context.Context, at servers.Storage) (*servers.Server, string, []string, error) {
		env := append(at.Trust(), "AWS_ACCESS_KEY_ID="+servers.S3Key, "AWS_SECRET_ACCESS_KEY="+servers.S3Secret)
		return nil, "s3:" + at.Endpoint + "/" + at.Bucket + "/" + servers.Repository, env, nil
	}
	return route{name: "restic's own S3", open: open}
}

// A farStep is a command of restic that is measured.
type farStep struct {
	name  string
	args  []string
	prune bool // of packs that no index names; else it follows the step before
}

func farSteps(o options, source, target string) []farStep {
	all := []farStep{
		{name: "backup", args: []string{"backup", "--quiet", source}},
		{name: "check --read-data", args: []string{"check", "--read-data", "--quiet"}},
		{name: "restore", args: []string{"restore", "latest", "--quiet", "--target", target}},
		{name: "prune", args: []string{"prune", "--quiet"}, prune: true},
	}
	last := slices.IndexFunc(all, func(s farStep) bool { return s.name == o.only })
	switch {
	case o.only == "" || last < 0:
		return all
	case all[last].prune:
		return all[last:]
	}
	return all[:last+1] // each needs what those before it leave
}

// A passage is what one step took by one route.
type passage struct {
	wall   time.Duration
	client time.Duration  // CPU of restic
	server time.Duration  // CPU of the server between
	store  time.Duration  // CPU of the storage
	asked  map[string]int // requests to the storage
}

// runFar has restic do its work by every route, in turns, and prints how long that took.
func runFar(ctx context.Context, o options, base string, redis *servers.Redis) error {
	routes, err := farRoutes(o, redis)
	if err != nil {
		return err
	}
	if len(o.builds) > 0 {
		routes = []route{throughGateway(o.builds[0]), throughGateway(o.builds[1])}
	}
	f, err := measureFar(ctx, o, base, routes)
	if err != nil {
		return err
	}
	describeMachine(os.Stdout)
	f.print(os.Stdout)
	return nil
}

// measureFar measures all steps by all routes.
func measureFar(ctx context.Context, o options, base string, routes []route) (*farResults, error) {
	source, template := filepath.Join(base, "source"), filepath.Join(base, "packs")
	f := &farResults{o: o, routes: routes, steps: farSteps(o, source, filepath.Join(base, "restored")), taken: map[string]map[string][]passage{}}
	if err := makeSource(source, max(1, o.size*miB/sourceFile)); err != nil {
		return nil, err
	}
	if err := makePacks(ctx, o, template); err != nil {
		return nil, err
	}
	for round := range o.rounds {
		for _, r := range slices.Concat(routes[round%len(routes):], routes[:round%len(routes)]) {
			for _, prune := range []bool{false, true} {
				if err := f.measure(ctx, base, template, r, prune); err != nil {
					return nil, fmt.Errorf("%s: %w", r.name, err)
				}
			}
		}
	}
	return f, nil
}

// The places of the routes in what farRoutes returns.
const (
	byGateway = iota
	directly
	byForwarder
)

func farRoutes(o options, redis *servers.Redis) ([]route, error) {
	gateway, err := servers.Program(o.gateway, "make build")
	if err != nil {
		return nil, err
	}
	return []route{throughGateway(servers.Gateway(gateway, redis)), direct(), through(servers.Forwarder(o.self))}, nil
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

// makePacks makes the directory of a storage with a repository that holds packs of which
// no index knows, as a backup leaves them that was cut: all of them go with a prune, which
// does not look into them.
func makePacks(ctx context.Context, o options, dir string) error {
	s3, err := servers.StartFar(ctx, o.minio, dir, 0)
	if err != nil {
		return err
	}
	defer s3.Stop()
	_, repo, env, err := direct().open(ctx, s3.Storage)
	if err != nil {
		return err
	}
	env = append(env, resticEnv(repo, filepath.Join(dir, "cache"))...)
	if _, err := runRestic(ctx, o.restic, env, "init"); err != nil {
		return err
	}
	if _, err := runRestic(ctx, o.restic, env, "backup", "--quiet", o.restic); err != nil {
		return err
	}
	return fillPacks(ctx, o, s3.Storage)
}

// fillPacks uploads them.
func fillPacks(ctx context.Context, o options, at servers.Storage) error {
	s, err := servers.Forwarder(o.self).Start(ctx, at)
	if err != nil {
		return err
	}
	defer s.Stop()
	made := restclient.NewBlobs(smallPack)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(servers.Connections)
	for range o.packs {
		group.Go(func() error {
			b, err := made.New()
			if err != nil {
				return err
			}
			return s.Client.Put(ctx, "data/", b)
		})
	}
	return group.Wait()
}

// measure measures the steps of one storage by one route.
func (f *farResults) measure(ctx context.Context, base, template string, r route, prune bool) error {
	steps := slices.DeleteFunc(slices.Clone(f.steps), func(s farStep) bool { return s.prune != prune })
	if len(steps) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp(base, "far")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if prune {
		if err := os.CopyFS(filepath.Join(dir, "storage"), os.DirFS(filepath.Join(template, "storage"))); err != nil {
			return err
		}
	}
	s3, err := servers.StartFar(ctx, f.o.minio, dir, f.o.delay)
	if err != nil {
		return err
	}
	defer s3.Stop()
	s, repo, env, err := r.open(ctx, s3.Storage)
	if err != nil {
		return err
	}
	if s != nil {
		defer s.Stop()
	}
	switch {
	case !prune:
		if _, err := runRestic(ctx, f.o.restic, append(env, resticEnv(repo, filepath.Join(dir, "init"))...), "init"); err != nil {
			return err
		}
	case r.pruner != "":
		env = append(env, "RESTIC_REST_USERNAME="+r.pruner)
	}
	for _, step := range steps {
		p, err := measurePassage(ctx, f.o, step, append(env, resticEnv(repo, filepath.Join(dir, step.name))...), s3, s)
		if err := errors.Join(err, os.RemoveAll(filepath.Join(base, "restored"))); err != nil {
			return err
		}
		f.add(step, r, p)
	}
	return nil
}

// measurePassage measures one step, with a cache of its own.
func measurePassage(ctx context.Context, o options, step farStep, env []string, s3 *servers.Far, s *servers.Server) (p passage, err error) {
	if _, err := s3.Requests.Take(ctx); err != nil {
		return p, err
	}
	var between *servers.Process
	if s != nil {
		between = s.Process
	}
	server, err1 := between.CPU()
	store, err2 := s3.Minio.CPU()
	began := time.Now()
	p.client, err = runRestic(ctx, o.restic, env, step.args...)
	p.wall = time.Since(began)
	serverThen, err3 := between.CPU()
	storeThen, err4 := s3.Minio.CPU()
	p.server, p.store = serverThen-server, storeThen-store
	asked, err5 := s3.Requests.Take(ctx)
	p.asked = asked
	return p, errors.Join(err, err1, err2, err3, err4, err5)
}

func resticEnv(repository, cache string) []string {
	return []string{"RESTIC_REPOSITORY=" + repository, "RESTIC_PASSWORD=" + servers.Password, "RESTIC_CACHE_DIR=" + cache}
}

// runRestic returns the CPU that a command of restic took.
func runRestic(ctx context.Context, restic string, env []string, args ...string) (time.Duration, error) {
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, restic, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("restic %s: %w\n%s", strings.Join(args, " "), err, &output)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}
