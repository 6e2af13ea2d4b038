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

// Source says where the state comes from and where parts of it are stored: enough to open
// any destination.
type Source struct {
	Redis catalog.Redis
	Load  catalog.LoadOptions
	// Writer, if set, is Redis as a user that may write refreshed tokens to the rclone
	// sections. On NethServer 8 a node's own user may not.
	Writer *catalog.Redis
	// StateDir stores which local destinations were seen, to distinguish an unmounted disk
	// from an empty one, and refreshed tokens; it is created. If empty, a restart forgets
	// both.
	StateDir string
	Log      *slog.Logger
}

// Options configure a State.
type Options struct {
	Source

	// Events select the user that subscribes to events.
	Events events.Options
	// RefreshInterval is the time between loads without an event, MaxStale how long the
	// last view is used while Redis is down.
	RefreshInterval, MaxStale time.Duration
	// Changed is called when readiness changes, Loaded after each load.
	Changed func(ready bool)
	Loaded  func(took time.Duration, err error)
	// Cache, if set, caches small objects of remote storage; the caller closes it.
	Cache *blobcache.Cache
	// Opened is called for each store that opens; its result is called when it closes.
	Opened func(*catalog.Destination) (closed func())
}

// State holds the current view, and replaces it.
type State struct {
	*views

	opts   Options
	opener Opener // of stores without a memory of recent answers
	rdb    redis.UniversalClient
	tokens *tokens
}

// New returns a State without a view; Run loads the first one. New makes no connection.
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

// Run loads, subscribes to changes, writes tokens back and measures space, until ctx ends.
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

// watch turns events into hints to load.
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

// Close retires every store of the last view, after Run has returned.
func (s *State) Close() error {
	s.close()
	return errors.Join(s.rdb.Close(), s.tokens.close())
}

// Once loads a snapshot for a process that needs only one. open opens its destinations,
// with the memory and the tokens of the gateway that has the same state directory; done
// writes refreshed tokens back.
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
		_ = kept.close() // everything was written
	}
	return snapshot, openWith(local.Mark{Memory: seen, Log: src.Log}, kept), done, nil
}
