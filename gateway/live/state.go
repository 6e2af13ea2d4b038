package live

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/blobcache"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/events"
	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// Source is where the state comes from and what is kept of it: enough to open any
// destination.
type Source struct {
	Redis catalog.Redis
	Load  catalog.LoadOptions
	// Writer, where set, is Redis as a user that may write refreshed tokens back
	// into the rclone sections; a node's own user may not on NethServer 8.
	Writer *catalog.Redis
	// StateDir is where it is remembered which local destinations were seen, to
	// tell a disk that is not mounted from an empty one, and where refreshed tokens
	// are kept; it is made. Empty means that a restart forgets them.
	StateDir string
	Log      *slog.Logger
}

// Options is everything that a State is made of.
type Options struct {
	Source

	// Events is who hears of changes.
	Events events.Options
	// RefreshInterval lies between loads that no event asked for, MaxStale is how
	// long the last view serves while Redis is away.
	RefreshInterval, MaxStale time.Duration
	// Changed is told whenever readiness changes, Loaded of each load.
	Changed func(ready bool)
	Loaded  func(took time.Duration, err error)
	// Cache, where set, keeps small objects of far storage; the caller closes it.
	Cache *blobcache.Cache
	// Opened is told of each store that opens; what it returns, when that closes.
	Opened func(*catalog.Destination) (closed func())
}

// State holds the current view and all that is needed to replace it.
type State struct {
	*views

	opts   Options
	opener Opener // of stores that remember nothing
	rdb    redis.UniversalClient
	tokens *tokens
}

// New makes a State without a view; Run brings the first one. It makes no
// connection yet.
func New(opts Options) (*State, error) {
	if opts.StateDir == "" {
		opts.Log.Warn("no state directory: after a restart, a local destination whose disk is not mounted looks empty",
			"hint", "name a directory on the system's own disk with --state-dir")
	}
	seen, err := newSightings(opts.StateDir)
	if err != nil {
		return nil, err
	}
	clock, err := openTrashClock(opts.StateDir)
	if err != nil {
		return nil, err
	}
	kept, err := openTokens(opts.Source)
	if err != nil {
		return nil, err
	}
	rdb, err := opts.Redis.OpenReader()
	if err != nil {
		return nil, errors.Join(err, kept.close())
	}
	opts.Events.Log = opts.Log
	reader := catalog.NewReader(rdb, opts.Load)
	opener := counting(openWith(local.Mark{Memory: seen, Log: opts.Log}, kept), opts.Opened)
	return &State{
		opts:   opts,
		opener: opener,
		rdb:    rdb,
		tokens: kept,
		views: newViews(viewsOptions{
			load: func(ctx context.Context) (*catalog.Snapshot, error) {
				snapshot, err := reader.Load(ctx)
				if err == nil {
					kept.settle(snapshot)
				}
				return snapshot, err
			},
			loadUsers: reader.LoadUsers,
			open:      remembering(opener, opts.Cache),
			sections:  kept.register,
			clock:     clock,
			log:       opts.Log,
			interval:  opts.RefreshInterval,
			maxStale:  opts.MaxStale,
			changed:   opts.Changed,
			loaded:    opts.Loaded,
		}),
	}, nil
}

// Run loads, listens for changes, writes tokens back and measures space until ctx
// ends.
func (s *State) Run(ctx context.Context) {
	heard := newHints()
	var working sync.WaitGroup
	working.Go(func() { s.run(ctx, heard) })
	working.Go(func() { s.watch(ctx, heard) })
	working.Go(func() { s.tokens.run(ctx) })
	working.Go(func() { s.measureSpace(ctx) })
	working.Go(func() { s.purgeTrash(ctx) })
	working.Wait()
}

// watch turns what Redis announces into hints to load.
func (s *State) watch(ctx context.Context, heard hints) {
	err := events.Watch(ctx, s.opts.Redis, s.opts.Events, func(e events.Event) {
		if e == events.ACLChanged {
			hint(heard.users)
		} else {
			hint(heard.whole)
		}
	})
	if err != nil && ctx.Err() == nil {
		s.opts.Log.Error("cannot listen to Redis events, relying on --refresh-interval", "err", err, "hint", refusal.HintRedis)
	}
}

// Open opens a destination for a caller that closes it.
func (s *State) Open() Opener { return s.opener }

// Close retires every store of the last view. Run has returned.
func (s *State) Close() error {
	s.close()
	return errors.Join(s.rdb.Close(), s.tokens.close())
}

// Once loads a snapshot for a process that does so once. Open opens what is in it,
// with the memory and the tokens of the gateway that has the same state directory;
// done writes back what tokens the stores have refreshed.
func Once(ctx context.Context, src Source) (snapshot *catalog.Snapshot, open Opener, done func(context.Context), err error) {
	rdb, err := src.Redis.OpenReader()
	if err != nil {
		return nil, nil, nil, err
	}
	defer rdb.Close()
	if snapshot, err = catalog.Load(ctx, rdb, src.Load); err != nil {
		return nil, nil, nil, err
	}
	seen, err := newSightings(src.StateDir)
	if err != nil {
		return nil, nil, nil, err
	}
	kept, err := openTokens(src)
	if err != nil {
		return nil, nil, nil, err
	}
	kept.settle(snapshot)
	kept.register(snapshot)
	done = func(ctx context.Context) {
		if kept.changedAny() {
			kept.keep()
			kept.writeAll(context.WithoutCancel(ctx))
		}
		_ = kept.close() // what was to be written is
	}
	return snapshot, openWith(local.Mark{Memory: seen, Log: src.Log}, kept), done, nil
}
