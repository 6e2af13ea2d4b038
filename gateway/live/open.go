package live

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/rclone-gateway/rclone-gateway/gateway/blobcache"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/remote"
	"github.com/rclone-gateway/rclone-gateway/gateway/sizes"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// TypeLocal is the rclone type of directories.
const TypeLocal = "local"

// openWith returns the Opener of all destinations. Directories of this host use package
// local, because rclone's local backend neither publishes atomically nor syncs; everything
// else uses rclone. kept provides the latest tokens, and receives newer ones.
func openWith(mark local.Mark, kept *tokens) Opener {
	return func(ctx context.Context, d *catalog.Destination) (storage.Store, io.Closer, error) {
		if d.PeerNode != "" {
			return nil, nil, fmt.Errorf("%w: it is on the disk of node %s", storage.ErrUnavailable, d.PeerNode)
		}
		if d.Type == TypeLocal {
			mark := mark
			mark.ID = d.ID
			s, err := local.OpenMarked(d.Base, mark)
			return s, nil, err
		}
		s, err := remote.Open(ctx, d.ID, kept.latest(d).Section, d.Base, remote.Options{Changed: kept.changed(d)})
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
		}
		return s, s, nil
	}
}

// counting wraps open, and calls opened for each store that opens; its result is called
// when the store closes, even if its view is long gone.
func counting(open Opener, opened func(*catalog.Destination) (closed func())) Opener {
	return func(ctx context.Context, d *catalog.Destination) (storage.Store, io.Closer, error) {
		store, closer, err := open(ctx, d)
		if err != nil {
			return nil, nil, err
		}
		return store, &countedCloser{closer: closer, closed: sync.OnceFunc(opened(d))}, nil
	}
}

// countedCloser calls what opened returned; closer may be nil.
type countedCloser struct {
	closer io.Closer
	closed func()
}

func (c *countedCloser) Close() error {
	c.closed()
	if c.closer == nil {
		return nil
	}
	return c.closer.Close()
}

// remembering wraps open for stores on which asking about an object costs a request: they
// remember recent answers. cache, if not nil, caches small objects of them.
func remembering(open Opener, cache *blobcache.Cache) Opener {
	return func(ctx context.Context, d *catalog.Destination) (storage.Store, io.Closer, error) {
		store, closer, err := open(ctx, d)
		backend, far := store.(sizes.Backend)
		switch {
		case err != nil || !far:
			return store, closer, err
		case cache == nil:
			return sizes.New(backend), closer, nil
		}
		return cache.Around(sizes.New(backend)), closer, nil
	}
}
