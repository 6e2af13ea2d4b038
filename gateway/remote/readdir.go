package remote

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"path"
	"sync"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/publish"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// ReadDir implements [storage.Tree]. On a bucket it takes one request per page of
// the listing; on other storage one more, which tells a directory from an object.
func (s *Store) ReadDir(ctx context.Context, dir string, fn func(iofs.FileInfo) error) error {
	if !iofs.ValidPath(dir) {
		return &iofs.PathError{Op: "read", Path: dir, Err: iofs.ErrInvalid}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("read %s: %w", dir, err)
	}
	for try := 1; ; try++ {
		r := reading{store: s, dir: dir, fn: fn}
		err := r.read(s.backend.Context(ctx))
		if r.begun || try == listTries || !errors.Is(err, errBrokenOff) {
			return err
		}
	}
}

// reading is one directory being read.
type reading struct {
	store *Store
	dir   string
	fn    func(iofs.FileInfo) error

	mu      sync.Mutex // backends may call back from several goroutines
	begun   bool       // fn was told of the directory itself
	stopped error      // by fn
}

func (r *reading) read(ctx context.Context) error {
	s := r.store
	if err := r.probe(ctx); err != nil {
		return err
	}
	// As in listOnce: some backends leave out what they cannot read, and count it.
	before := accounting.Stats(ctx).GetErrors()
	err := s.lister.Dir(ctx, rcloneDir(r.dir), func(entries fs.DirEntries) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.stopped == nil {
			r.stopped = r.each(ctx, entries)
		}
		return r.stopped
	})
	switch {
	case r.stopped != nil:
		return r.stopped
	case errors.Is(err, fs.ErrorDirNotFound) && ctx.Err() == nil:
		if err = s.missingDir(ctx, r.dir); r.begun {
			return fmt.Errorf("read %s: %w: %s", r.dir, errBrokenOff, err.Error())
		}
		return err
	case err != nil:
		return s.failed(ctx, "read", r.dir, err)
	case accounting.Stats(ctx).GetErrors() != before:
		return fmt.Errorf("read %s: some of it could not be read; see the log", r.dir)
	case r.begun:
		return nil
	case r.dir != "." && !s.HasDirectories():
		return absent("read", r.dir) // without an object below it there is none
	}
	return r.begin()
}

// probe tells an object from a directory, where a backend would list either, and
// spares a look at all entries where only the directory itself is of interest.
func (r *reading) probe(ctx context.Context) error {
	if r.dir == "." || !r.store.HasDirectories() {
		return nil
	}
	_, err := r.store.fs.NewObject(ctx, r.dir)
	switch {
	case err == nil:
		return absent("read", r.dir)
	case errors.Is(err, fs.ErrorIsDir):
		return r.begin()
	case errors.Is(err, fs.ErrorObjectNotFound), errors.Is(err, fs.ErrorDirNotFound):
		return nil // not every backend says that it is a directory
	}
	return r.store.failed(ctx, "read", r.dir, err)
}

// begin tells fn of the directory itself.
func (r *reading) begin() error {
	r.begun = true
	return r.fn(storage.DirInfo(".", time.Time{}))
}

// each tells fn of the entries; it runs with mu held.
func (r *reading) each(ctx context.Context, entries fs.DirEntries) error {
	if !r.begun && len(entries) > 0 {
		if err := r.begin(); err != nil {
			return err
		}
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		info, err := r.describe(ctx, entry)
		if err == nil && info != nil {
			err = r.fn(info)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// describe describes an entry, unless it is the store's own.
func (r *reading) describe(ctx context.Context, entry fs.DirEntry) (iofs.FileInfo, error) {
	base := path.Base(entry.Remote())
	object, ok := entry.(fs.Object)
	switch {
	case !ok && r.store.HasDirectories():
		return storage.DirInfo(base, entry.ModTime(ctx)), nil
	case !ok:
		return storage.DirInfo(base, time.Time{}), nil
	case publish.IsTemporary(base):
		return nil, nil
	case object.Size() < 0:
		return nil, fmt.Errorf("read: the remote does not know the size of %s", entry.Remote())
	}
	return r.store.fileInfo(ctx, object), nil
}
