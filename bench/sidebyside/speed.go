package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/restclient"
	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/servers"
)

// A bench is one contestant in one round: its server, and what its cases need.
type bench struct {
	*servers.Server
	dir   string             // of its repository
	big   []*restclient.Blob // 16 MiB each, stored
	fresh *restclient.Blobs  // to be stored
	small *restclient.Blobs  // 64 KiB each, to be stored
	mid   *restclient.Blobs  // 4 MiB each, to be stored
	some  []*restclient.Blob // of mid, stored
	locks *restclient.Blobs  // as large as locks are
	named atomic.Int64       // picks of big, in turn
	long  *restclient.Client // of the repository with many objects
	count int                // of those objects
}

const (
	bigSize   = 16 * miB
	midSize   = 4 * miB
	lockSize  = 160
	rangeSize = 64 * kiB
)

// A speedCase is one kind of request.
type speedCase struct {
	name    string
	clients int // 0: as many as the options say
	// bytes is how many bytes of objects an operation moves; CPU is given for each
	// GiB of them, or for 1000 operations where it is 0.
	bytes int64
	run   func(ctx context.Context, b *bench) error
}

func speedCases() []speedCase {
	return []speedCase{
		{name: "POST 16 MiB", bytes: bigSize, run: postBig},
		{name: "GET 16 MiB", bytes: bigSize, run: getBig},
		{name: "range 64 KiB", run: getRange},
		{name: "HEAD", run: head},
		{name: "POST 64 KiB", run: postSmall},
		{name: "POST 64 KiB, 32 clients", clients: 32, run: postSmall},
		{name: "lock cycle", run: lockCycle},
		{name: "mixed, 8 clients", clients: 8, run: mixed},
		{name: "list", clients: 1, run: listLong(false)},
		{name: "list, gzip accepted", clients: 1, run: listLong(true)},
		{name: "list, 8 clients", clients: 8, run: listLong(false)},
	}
}

func postBig(ctx context.Context, b *bench) error   { return b.post(ctx, b.fresh) }
func postSmall(ctx context.Context, b *bench) error { return b.post(ctx, b.small) }

func getBig(ctx context.Context, b *bench) error {
	blob := b.pick(b.big)
	return b.Client.Get(ctx, blob, 0, blob.Size())
}

func getRange(ctx context.Context, b *bench) error {
	return b.Client.Get(ctx, b.pick(b.big), rand.Int64N(bigSize-rangeSize), rangeSize)
}

func head(ctx context.Context, b *bench) error { return b.Client.Head(ctx, b.pick(b.big)) }

// lockCycle is what each run of restic does with its lock.
func lockCycle(ctx context.Context, b *bench) error {
	lock, err := b.locks.New()
	if err != nil {
		return err
	}
	return b.Client.LockCycle(ctx, lock)
}

// mixed is what many clients do at once, by chance.
func mixed(ctx context.Context, b *bench) error {
	switch chance := rand.IntN(100); {
	case chance < 30:
		return b.post(ctx, b.mid)
	case chance < 65:
		blob := b.pick(b.some)
		return b.Client.Get(ctx, blob, 0, blob.Size())
	case chance < 80:
		return getRange(ctx, b)
	case chance < 92:
		return head(ctx, b)
	case chance < 95:
		_, err := b.Client.List(ctx, "locks/", false)
		return err
	}
	return lockCycle(ctx, b)
}

func listLong(zip bool) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) error {
		n, err := b.long.List(ctx, "data/", zip)
		if err == nil && n != b.count {
			err = fmt.Errorf("list: %d objects, want %d", n, b.count)
		}
		return err
	}
}

// post stores a new blob, and removes it.
func (b *bench) post(ctx context.Context, from *restclient.Blobs) error {
	blob, err := from.New()
	if err != nil {
		return err
	}
	if err := b.Client.Put(ctx, "data/", blob); err != nil {
		return err
	}
	return b.removeFile(blob)
}

// pick returns the stored blobs in turn.
func (b *bench) pick(from []*restclient.Blob) *restclient.Blob {
	return from[int(b.named.Add(1))%len(from)]
}

// runSpeed measures every case with every contestant, in turns, and prints a table.
func runSpeed(ctx context.Context, o options, base string, redis *servers.Redis) error {
	all, err := contestants(o, redis)
	if err != nil {
		return err
	}
	cases := slices.DeleteFunc(speedCases(), func(c speedCase) bool { return !strings.Contains(c.name, o.only) })
	if len(cases) == 0 {
		return fmt.Errorf("no case's name contains %q", o.only)
	}
	fmt.Fprintf(os.Stderr, "making %d objects for the list\n", o.objects)
	for _, c := range all {
		if err := makeObjects(o.objects, longDir(base, c)); err != nil {
			return err
		}
	}
	results := newResults(all)
	for round := range o.rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, o.rounds)
		order := slices.Concat(all[round%len(all):], all[:round%len(all)])
		if err := speedRound(ctx, o, base, order, cases, results); err != nil {
			return err
		}
	}
	results.print(os.Stdout, cases)
	return nil
}

// speedRound restarts every contestant and measures each case with all of
// them before the next case begins.
func speedRound(ctx context.Context, o options, base string, order []servers.Contestant, cases []speedCase, results *results) error {
	benches, err := startAll(ctx, o, base, order)
	defer func() {
		for _, b := range benches {
			b.Stop()
		}
	}()
	if err != nil {
		return err
	}
	for _, sc := range cases {
		if err := measureEach(ctx, o, order, benches, sc, results); err != nil {
			return err
		}
	}
	return nil
}

// measureEach measures a case with one server after another.
func measureEach(ctx context.Context, o options, order []servers.Contestant, benches map[string]*bench, sc speedCase, results *results) error {
	for _, c := range order {
		m, err := benches[c.Name].measure(ctx, sc, o)
		if err != nil {
			return fmt.Errorf("%s, %s: %w\n%s", c.Name, sc.name, err, benches[c.Name].Output)
		}
		results.add(sc.name, c.Name, m)
	}
	return nil
}

// startAll starts all servers, and returns those that it could start.
func startAll(ctx context.Context, o options, base string, all []servers.Contestant) (map[string]*bench, error) {
	benches := make(map[string]*bench, len(all))
	for _, c := range all {
		b, err := newBench(ctx, o, base, c)
		if err != nil {
			return benches, fmt.Errorf("%s: %w", c.Name, err)
		}
		benches[c.Name] = b
	}
	return benches, nil
}

func newBench(ctx context.Context, o options, base string, c servers.Contestant) (*bench, error) {
	root := rootDir(base, c)
	s, err := c.Start(ctx, servers.Storage{Dir: root})
	if err != nil {
		return nil, err
	}
	b := &bench{
		Server: s,
		dir:    filepath.Join(root, filepath.FromSlash(servers.Repository)),
		fresh:  restclient.NewBlobs(bigSize),
		mid:    restclient.NewBlobs(midSize),
		small:  restclient.NewBlobs(rangeSize),
		locks:  restclient.NewBlobs(lockSize),
		count:  o.objects,
	}
	b.long = b.Client.In(servers.LongRepository)
	if err := b.fill(ctx, o.stored); err != nil {
		b.Stop()
		return nil, fmt.Errorf("%w\n%s", err, s.Output)
	}
	return b, nil
}

// fill makes the repository, and stores what is read.
func (b *bench) fill(ctx context.Context, stored int) error {
	if err := os.RemoveAll(b.dir); err != nil {
		return err
	}
	if err := b.Client.Create(ctx); err != nil {
		return err
	}
	if err := b.Client.PutConfig(ctx); err != nil {
		return err
	}
	var err error
	if b.big, err = b.store(ctx, b.fresh, stored); err == nil {
		b.some, err = b.store(ctx, b.mid, stored)
	}
	return err
}

func (b *bench) store(ctx context.Context, from *restclient.Blobs, n int) (stored []*restclient.Blob, err error) {
	for range n {
		blob, err := from.New()
		if err != nil {
			return nil, err
		}
		if err := b.Client.Put(ctx, "data/", blob); err != nil {
			return nil, err
		}
		stored = append(stored, blob)
	}
	return stored, nil
}

// A measurement is what one case cost one contestant in one round.
type measurement struct {
	ops  int64
	wall time.Duration
	cpu  time.Duration
	peak int64
}

// measure runs a case for the time the options say, after a moment to warm up.
func (b *bench) measure(ctx context.Context, sc speedCase, o options) (measurement, error) {
	clients := sc.clients
	if clients == 0 {
		clients = o.clients
	}
	if _, err := b.load(ctx, sc, clients, o.duration/20); err != nil {
		return measurement{}, err
	}
	var m measurement
	if err := b.ResetPeak(); err != nil {
		return m, err
	}
	before, err := b.CPU()
	if err != nil {
		return m, err
	}
	began := time.Now()
	m.ops, err = b.load(ctx, sc, clients, o.duration)
	if err != nil {
		return m, err
	}
	m.wall = time.Since(began)
	after, err1 := b.CPU()
	peak, err2 := b.Peak()
	m.cpu, m.peak = after-before, peak
	return m, errors.Join(err1, err2)
}

// load runs a case with so many clients at once and returns how many operations
// were completed. The first error ends it.
func (b *bench) load(ctx context.Context, sc speedCase, clients int, duration time.Duration) (int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	end := time.Now().Add(duration)
	var ops atomic.Int64
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				if err := sc.run(ctx, b); err != nil {
					cancel(err)
					return
				}
				ops.Add(1)
			}
		})
	}
	running.Wait()
	return ops.Load(), context.Cause(ctx)
}

// removeFile removes, behind the server's back, what it has just stored. So every
// upload finds the memory that the last one has given back: in a virtual machine,
// memory used for the first time costs more than all the rest of an upload, and
// would be charged to the server that happens to come first.
func (b *bench) removeFile(stored *restclient.Blob) error {
	return os.Remove(filepath.Join(b.dir, "data", stored.Name[:2], stored.Name))
}

// makeObjects makes a repository of n small objects in dir, in the layout that
// all contestants share.
func makeObjects(n int, dir string) error {
	objects := restclient.NewBlobs(kiB)
	made := map[string]bool{}
	for range n {
		blob, err := objects.New()
		if err != nil {
			return err
		}
		shard := filepath.Join(dir, "data", blob.Name[:2])
		if !made[shard] {
			if err := os.MkdirAll(shard, 0o700); err != nil {
				return err
			}
			made[shard] = true
		}
		if err := os.WriteFile(filepath.Join(shard, blob.Name), blob.Content(), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "config"), []byte(restclient.Config), 0o600)
}

func rootDir(base string, c servers.Contestant) string {
	return filepath.Join(base, strings.ReplaceAll(c.Name, " ", "-"), "root")
}

func longDir(base string, c servers.Contestant) string {
	return filepath.Join(rootDir(base, c), filepath.FromSlash(servers.LongRepository))
}
