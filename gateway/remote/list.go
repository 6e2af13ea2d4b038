package remote

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"path"
	"sync"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/publish"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// List implements [storage.Store]. On buckets a directory that is not there is
// empty. Uploads that the end of a gateway cut off are removed a day later.
func (s *Store) List(ctx context.Context, dir string, fn func(iofs.FileInfo) error) error {
	if !iofs.ValidPath(dir) {
		return &iofs.PathError{Op: "list", Path: dir, Err: iofs.ErrInvalid}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	for try := 1; ; try++ {
		told := false
		err := s.listOnce(ctx, dir, func(info iofs.FileInfo) error {
			told = true
			return fn(info)
		})
		if told || try == listTries || !errors.Is(err, errBrokenOff) {
			return err
		}
	}
}

// listTries is how often a list is made that breaks off.
const listTries = 3

// errBrokenOff is a list that is cut short, as with Apache's mod_dav when a file goes
// away while it looks at the directory.
var errBrokenOff = errors.New("a directory could not be read, or went away meanwhile")

func (s *Store) listOnce(ctx context.Context, dir string, fn func(iofs.FileInfo) error) error {
	ctx = s.backend.Context(ctx)
	// Some backends (local) leave out what they cannot read and only count it as
	// an error. Of two lists at once both fail then, which is safe.
	before := accounting.Stats(ctx).GetErrors()
	var (
		mu      sync.Mutex // backends may call back from several goroutines
		stopped error
		sweeper = publish.NewSweeper()
	)
	err := s.lister.Tree(ctx, rcloneDir(dir), func(entries fs.DirEntries) error {
		mu.Lock()
		defer mu.Unlock()
		if stopped == nil {
			stopped = s.each(ctx, entries, sweeper, fn)
		}
		return stopped
	})
	switch {
	case stopped != nil:
		return stopped
	case errors.Is(err, fs.ErrorDirNotFound) && ctx.Err() == nil:
		err = s.missingDir(ctx, dir)
	case err != nil:
		return s.failed(ctx, "list", dir, err)
	}
	if accounting.Stats(ctx).GetErrors() != before {
		return fmt.Errorf("list %s: some of it could not be read; see the log", dir)
	}
	sweeper.Sweep(ctx, s.backend.ID, s.failed)
	return err
}

// each calls fn for the objects among entries, and shows the sweeper the others.
func (s *Store) each(ctx context.Context, entries fs.DirEntries, sweeper *publish.Sweeper, fn func(iofs.FileInfo) error) error {
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		object, ok := entry.(fs.Object)
		if !ok {
			continue
		}
		if publish.IsTemporary(path.Base(object.Remote())) {
			sweeper.See(object)
			continue
		}
		if object.Size() < 0 {
			return fmt.Errorf("list: the remote does not know the size of %s", object.Remote())
		}
		if err := fn(s.fileInfo(ctx, object)); err != nil {
			return err
		}
	}
	return nil
}

// missingDir answers for a list that found no directory: it may have gone
// missing on the way, or not have been looked at.
func (s *Store) missingDir(ctx context.Context, dir string) error {
	if s.buckets {
		return fmt.Errorf("list %s: %w", dir, storage.ErrNoBucket)
	}
	gone, err := s.dirAbsent(ctx, dir)
	if err != nil {
		return s.failed(ctx, "list", dir, err)
	}
	if !gone {
		return fmt.Errorf("list %s: %w", dir, errBrokenOff)
	}
	return absent("list", dir)
}

// dirAbsent reports whether a directory is proven absent: its parent lists, and
// does not have it, or is itself absent.
func (s *Store) dirAbsent(ctx context.Context, dir string) (bool, error) {
	if dir == "." {
		return s.rootAbsent(), nil
	}
	parent := path.Dir(dir)
	entries, err := s.fs.List(ctx, rcloneDir(parent))
	if errors.Is(err, fs.ErrorDirNotFound) {
		return s.dirAbsent(ctx, parent)
	}
	if err != nil {
		return false, err
	}
	for _, entry := range entries {
		if entry.Remote() == dir {
			return false, nil
		}
	}
	return true, nil
}

// rootAbsent reports whether the destination's base, which did not list, is absent.
// Servers are taken at their word; rclone's local backend says so of what it
// may not look at, too.
func (s *Store) rootAbsent() bool {
	if !s.fs.Features().IsLocal {
		return true
	}
	_, err := os.Lstat(s.fs.Root())
	return errors.Is(err, iofs.ErrNotExist)
}

var errProbed = errors.New("probed")

// probe asks a bucket for a page of its list; it returns storage.ErrNoBucket when there
// is no bucket.
func (s *Store) probe(ctx context.Context, dir string) error {
	err := s.lister.Dir(ctx, rcloneDir(dir), func(fs.DirEntries) error { return errProbed })
	switch {
	case errors.Is(err, errProbed):
		return nil
	case errors.Is(err, fs.ErrorDirNotFound):
		return storage.ErrNoBucket
	}
	return err
}
