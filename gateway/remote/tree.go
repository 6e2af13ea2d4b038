package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"path"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/operations"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/publish"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

var _ storage.Tree = (*Store)(nil)

// HasDirectories implements [storage.Tree].
func (s *Store) HasDirectories() bool {
	return !s.buckets && s.fs.Features().CanHaveEmptyDirectories
}

// Mkdir implements [storage.Tree].
func (s *Store) Mkdir(ctx context.Context, dir string) error {
	ctx, err := s.begin(ctx, "mkdir", dir)
	if err != nil || !s.HasDirectories() {
		return err
	}
	if parent := path.Dir(dir); parent != "." {
		if err := s.ReadDir(ctx, parent, stop); !errors.Is(err, errStop) {
			return fmt.Errorf("mkdir %s: parent: %w", dir, err)
		}
	}
	switch taken, err := s.taken(ctx, dir); {
	case err != nil:
		return err
	case taken:
		return &iofs.PathError{Op: "mkdir", Path: dir, Err: iofs.ErrExist}
	}
	if err := s.fs.Mkdir(ctx, dir); err != nil {
		return s.failed(ctx, "mkdir", dir, err)
	}
	return nil
}

// Rmdir implements [storage.Tree]. It looks first: not every backend refuses to
// remove a directory with something in it.
func (s *Store) Rmdir(ctx context.Context, dir string) error {
	ctx, err := s.begin(ctx, "rmdir", dir)
	if err != nil || !s.HasDirectories() {
		return err
	}
	entries := 0
	err = s.ReadDir(ctx, dir, func(iofs.FileInfo) error {
		if entries++; entries > 1 {
			return errStop
		}
		return nil
	})
	switch {
	case errors.Is(err, errStop):
		return &iofs.PathError{Op: "rmdir", Path: dir, Err: fmt.Errorf("%w: it is not empty", iofs.ErrExist)}
	case err != nil:
		return err
	}
	switch err := s.fs.Rmdir(ctx, dir); {
	case errors.Is(err, fs.ErrorDirectoryNotEmpty):
		return &iofs.PathError{Op: "rmdir", Path: dir, Err: fmt.Errorf("%w: uploads are under way in it", iofs.ErrExist)}
	case errors.Is(err, fs.ErrorDirNotFound):
		return absent("rmdir", dir)
	case err != nil:
		return s.failed(ctx, "rmdir", dir, err)
	}
	return nil
}

// Prune removes dir and the directories below it, as far as they hold no file.
// Buckets have no directories.
func (s *Store) Prune(ctx context.Context, dir string) error {
	if !s.fs.Features().CanHaveEmptyDirectories {
		return nil
	}
	if err := operations.Rmdirs(s.backend.Context(ctx), s.fs, dir, false); err != nil {
		return s.failed(ctx, "prune", dir, err)
	}
	return nil
}

// errStop ends a listing of which enough is known.
var errStop = errors.New("enough is known")

func stop(iofs.FileInfo) error { return errStop }

// taken reports whether there is an object or a directory of that name.
func (s *Store) taken(ctx context.Context, name string) (bool, error) {
	if _, err := s.Stat(ctx, name); !errors.Is(err, iofs.ErrNotExist) {
		return err == nil, err
	}
	err := s.ReadDir(ctx, name, stop)
	switch {
	case errors.Is(err, errStop):
		return true, nil
	case errors.Is(err, iofs.ErrNotExist):
		return false, nil
	}
	return false, err
}

// Rename implements [storage.Tree]. Buckets and some others cannot rename a
// directory.
func (s *Store) Rename(ctx context.Context, from, to string) error {
	ctx, err := s.begin(ctx, "rename", from)
	if err != nil {
		return err
	}
	if _, err := s.begin(ctx, "rename", to); err != nil {
		return err
	}
	if publish.IsTemporary(path.Base(to)) {
		return fmt.Errorf("rename to %s, a name for temporary files: %w", to, iofs.ErrInvalid)
	}
	f, err := s.creator() // its objects know what they are
	if err != nil {
		return s.failed(ctx, "rename", from, err)
	}
	switch _, err := s.Stat(ctx, from); {
	case err == nil:
		return s.renameObject(ctx, f, from, to)
	case !errors.Is(err, iofs.ErrNotExist):
		return err
	}
	if err := s.ReadDir(ctx, from, stop); !errors.Is(err, errStop) {
		return fmt.Errorf("rename %s: %w", from, err)
	}
	return s.renameDir(ctx, from, to)
}

func (s *Store) renameObject(ctx context.Context, f fs.Fs, from, to string) error {
	if s.HasDirectories() {
		if err := s.ReadDir(ctx, to, stop); !errors.Is(err, iofs.ErrNotExist) {
			if errors.Is(err, errStop) {
				err = &iofs.PathError{Op: "rename", Path: to, Err: iofs.ErrExist}
			}
			return err
		}
	}
	if publish.MoveOf(f) == nil {
		return s.carry(ctx, from, to)
	}
	source, err := f.NewObject(ctx, from)
	if err != nil {
		return s.missing(ctx, "rename", from, err)
	}
	if err := publish.Replace(ctx, f, s.movesWhole, source, to); err != nil {
		return s.failed(ctx, "rename", from, err)
	}
	return s.removeOlder(ctx, from)
}

// carry renames an object by way of this process.
func (s *Store) carry(ctx context.Context, from, to string) error {
	body, size, err := s.Open(ctx, from, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := s.Put(ctx, to, size, io.LimitReader(body, size)); err != nil {
		return err
	}
	return s.Remove(ctx, from)
}

func (s *Store) renameDir(ctx context.Context, from, to string) error {
	move := s.fs.Features().DirMove
	if move == nil || !s.HasDirectories() {
		return fmt.Errorf("rename directory %s: %w", from, errors.ErrUnsupported)
	}
	switch taken, err := s.taken(ctx, to); {
	case err != nil:
		return err
	case taken:
		return &iofs.PathError{Op: "rename", Path: to, Err: iofs.ErrExist}
	}
	switch err := move(ctx, s.fs, from, to); {
	case errors.Is(err, fs.ErrorCantDirMove):
		return fmt.Errorf("rename directory %s: %w", from, errors.ErrUnsupported)
	case errors.Is(err, fs.ErrorDirExists):
		return &iofs.PathError{Op: "rename", Path: to, Err: iofs.ErrExist}
	case err != nil:
		return s.failed(ctx, "rename", from, err)
	}
	return nil
}
