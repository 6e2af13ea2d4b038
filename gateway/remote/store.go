package remote

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
	"github.com/rclone-gateway/rclone-gateway/gateway/remote/lister"
	"github.com/rclone-gateway/rclone-gateway/gateway/remote/publish"
	"github.com/rclone-gateway/rclone-gateway/gateway/remote/s3api"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Options are what Open needs beside the section.
type Options struct {
	// Changed, unless nil, is called with what the backend stores in its section:
	// a refreshed OAuth token, which may be the only one that still works. The
	// store itself continues with the new value. It is called from requests, at
	// once by several, and must not block.
	Changed func(key, value string)
}

// Store is a [storage.Store] and [storage.Creator] on an rclone remote.
type Store struct {
	backend *backend.Backend
	fs      fs.Fs // the backend's

	// buckets: what is not found may be the bucket, and then proves nothing.
	buckets bool
	// publisher stores objects all or nothing, in the way that suits the backend.
	publisher *publish.Publisher
	// movesWhole: a move never takes an object away before another is in its place.
	movesWhole bool
	// oneVersion: to remove an object brings back what it replaced.
	oneVersion bool
	// hider, where there is one, returns an Fs that hides what it deletes; hides is
	// true since the key may do no more than that.
	hider    func() (fs.Fs, error)
	hides    atomic.Bool
	versions versioning
	// bulk, where there is one, deletes many objects in one request.
	bulk *s3api.Bulk
	// soon is how long it is waited for an answer before lists are asked, too.
	soon time.Duration
	// lister lists directories.
	lister *lister.Lister
	// creator returns an Fs that may make the bucket.
	creator func() (fs.Fs, error)
}

var (
	_ storage.Store     = (*Store)(nil)
	_ storage.Creator   = (*Store)(nil)
	_ storage.Preserver = (*Store)(nil)
)

// Open makes a Store from the rclone section of one destination; base is the path on
// the remote below which its objects live. See [backend.Open].
func Open(ctx context.Context, id string, section map[string]string, base string, opts Options) (*Store, error) {
	b, err := backend.Open(ctx, id, section, base, opts.Changed)
	if err != nil {
		return nil, err
	}
	s := &Store{
		backend:    b,
		fs:         b.Fs,
		buckets:    b.HasBuckets(),
		movesWhole: b.Has(backend.MovesWhole),
		oneVersion: b.Has(backend.DeletesOneVersion),
		creator:    func() (fs.Fs, error) { return b.Fs, nil },
		lister:     lister.New(b.Fs),
		soon:       soon,
	}
	s.publisher = publish.New(b, section, s.find)
	s.bulk = s3api.NewBulk(id, b.Fs, section)
	if b.OneRequest {
		s.creator = func() (fs.Fs, error) { return b.Reopen(nil) }
	}
	if section["type"] == "b2" && section["hard_delete"] == "" {
		s.hider = sync.OnceValues(func() (fs.Fs, error) { return b.Reopen(map[string]string{"hard_delete": "false"}) })
	}
	return s, nil
}

// Close shuts the backend down. The caller has waited for the last request.
func (s *Store) Close() error { return s.backend.Close() }

// begin refuses what is no name of an object, and requests that have ended: not
// every backend looks at the context. It returns the context for the backend.
func (s *Store) begin(ctx context.Context, op, name string) (context.Context, error) {
	if !iofs.ValidPath(name) || name == "." {
		return ctx, &iofs.PathError{Op: op, Path: name, Err: iofs.ErrInvalid}
	}
	if err := ctx.Err(); err != nil {
		return ctx, fmt.Errorf("%s %s: %w", op, name, err)
	}
	return s.backend.Context(ctx), nil
}

// Create implements [storage.Creator]: it makes the bucket, or the directory. A
// bucket that is there is not touched, since many keys may not create any.
func (s *Store) Create(ctx context.Context, dir string) error {
	if !iofs.ValidPath(dir) {
		return &iofs.PathError{Op: "create", Path: dir, Err: iofs.ErrInvalid}
	}
	ctx = s.backend.Context(ctx)
	if s.buckets {
		if err := s.probe(ctx, dir); !errors.Is(err, storage.ErrNoBucket) {
			if err != nil {
				return s.failed(ctx, "create", dir, err)
			}
			return nil
		}
	}
	f, err := s.creator()
	if err == nil {
		err = f.Mkdir(ctx, rcloneDir(dir))
	}
	if err != nil {
		return s.failed(ctx, "create", dir, err)
	}
	return nil
}

// rcloneDir returns rclone's name of a directory.
func rcloneDir(dir string) string {
	if dir == "." {
		return ""
	}
	return dir
}
