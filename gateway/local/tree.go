//go:build unix

package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

var _ storage.Tree = (*Store)(nil)

// ReadDir implements [storage.Tree]. As in [Store.List], anything but regular files and
// directories is an error.
func (s *Store) ReadDir(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	if err := check(ctx, "read", dir); err != nil {
		return err
	}
	fd, err := s.openDir(dir)
	if err != nil {
		return s.wrapTree("read", dir, err)
	}
	defer fd.close()
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	l := lister{ctx: ctx, store: s, fn: fn, buf: buf[:]}
	if err := retry(func() error { return unix.Fstat(int(fd), &l.stat) }); err != nil {
		return s.wrap("read", dir, err)
	}
	return l.read(fd, dir)
}

// read lists a directory, whose description is in l.stat, and its entries.
func (l *lister) read(dir dirFD, name string) error {
	l.info.setDir(".", &l.stat)
	if err := l.fn(&l.info); err != nil {
		return err
	}
	for entry, err := range dir.entries(l.buf) {
		if err != nil {
			return l.store.wrap("read", name, err)
		}
		isDir, err := l.entry(dir, name, entry)
		if err == nil && isDir {
			err = l.subdir(dir, name, entry.name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// subdir passes on a directory.
func (l *lister) subdir(dir dirFD, parent, base string) error {
	err := dir.stat(base, &l.stat)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return l.store.wrap("read", path.Join(parent, base), err)
	}
	l.info.setDir(base, &l.stat)
	return l.fn(&l.info)
}

// Mkdir implements [storage.Tree].
func (s *Store) Mkdir(ctx context.Context, dir string) error {
	if err := checkEntry(ctx, "mkdir", dir); err != nil {
		return err
	}
	parent, err := s.holder(dir)
	if err != nil {
		return s.wrapTree("mkdir", dir, err)
	}
	defer parent.close()
	if err := retry(func() error { return unix.Mkdirat(int(parent), path.Base(dir), 0o700) }); err != nil {
		return s.wrapTree("mkdir", dir, err)
	}
	if err := s.sync(int(parent)); err != nil {
		return s.wrap("mkdir", dir, err)
	}
	s.durable.Store(dir, nil)
	return nil
}

// holder opens the parent directory of name, and makes it durable for new entries.
func (s *Store) holder(name string) (dirFD, error) {
	fd, err := s.openDir(path.Dir(name))
	if err != nil {
		return -1, err
	}
	fd.close()
	return s.makeDir(path.Dir(name))
}

// Rmdir implements [storage.Tree].
func (s *Store) Rmdir(ctx context.Context, dir string) error {
	if err := checkEntry(ctx, "rmdir", dir); err != nil {
		return err
	}
	parent, err := s.openDir(path.Dir(dir))
	if err != nil {
		return s.wrapTree("rmdir", dir, err)
	}
	defer parent.close()
	if err := retry(func() error { return unix.Unlinkat(int(parent), path.Base(dir), unix.AT_REMOVEDIR) }); err != nil {
		return s.wrapTree("rmdir", dir, err)
	}
	s.durable.Delete(dir)
	return s.wrap("sync directory of", dir, s.sync(int(parent)))
}

// Rename implements [storage.Tree]. Between two file systems mounted below the root, it
// copies the object.
func (s *Store) Rename(ctx context.Context, from, to string) error {
	if err := errors.Join(checkEntry(ctx, "rename", from), checkEntry(ctx, "rename", to)); err != nil {
		return err
	}
	source, err := s.openDir(path.Dir(from))
	if err != nil {
		return s.wrapTree("rename", from, err)
	}
	defer source.close()
	target, err := s.holder(to)
	if err != nil {
		return s.wrapTree("rename", to, err)
	}
	defer target.close()
	var st unix.Stat_t
	if err := source.stat(path.Base(from), &st); err != nil {
		return s.wrapTree("rename", from, err)
	}
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	if !isDir {
		if err := regular(&st); err != nil {
			return s.wrap("rename", from, err)
		}
	}
	err = s.rename(ctx, source, target, from, to, isDir)
	if err != nil {
		return s.wrapTree("rename", from+" to "+to, err)
	}
	if isDir {
		s.forget(from)
	}
	return errors.Join(
		s.wrap("sync directory of", to, s.sync(int(target))),
		s.wrap("sync directory of", from, s.sync(int(source))),
	)
}

// rename renames an object, replacing another one, or a directory, replacing nothing.
func (s *Store) rename(ctx context.Context, source, target dirFD, from, to string, isDir bool) error {
	var err error
	if isDir {
		err = renameOverNothing(source, path.Base(from), target, path.Base(to))
	} else {
		err = retry(func() error { return unix.Renameat(int(source), path.Base(from), int(target), path.Base(to)) })
	}
	switch {
	case errors.Is(err, unix.EISDIR):
		return fmt.Errorf("%w: %v", fs.ErrExist, err) //nolint:errorlint // a directory is in the way
	case errors.Is(err, unix.EXDEV) && isDir:
		return fmt.Errorf("%w: %v", errors.ErrUnsupported, err) //nolint:errorlint // as above
	case errors.Is(err, unix.EXDEV):
		return s.carry(ctx, from, to)
	}
	return err
}

// renameSlowly is renameOverNothing without a system call for it: it checks first.
func renameSlowly(source dirFD, from string, target dirFD, to string) error {
	var st unix.Stat_t
	switch err := target.stat(to, &st); {
	case err == nil:
		return unix.EEXIST
	case !errors.Is(err, unix.ENOENT):
		return err
	}
	return retry(func() error { return unix.Renameat(int(source), from, int(target), to) })
}

// carry copies an object to another file system and deletes the original.
func (s *Store) carry(ctx context.Context, from, to string) error {
	file, size, err := s.open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := s.Put(ctx, to, size, io.LimitReader(file, size)); err != nil {
		return err
	}
	return s.Remove(ctx, from)
}

// forget drops what is known of removed directories.
func (s *Store) forget(dir string) {
	s.durable.Range(func(key, _ any) bool {
		if name, ok := key.(string); ok && (name == dir || strings.HasPrefix(name, dir+"/")) {
			s.durable.Delete(name)
		}
		return true
	})
}

// HasDirectories implements [storage.Tree].
func (*Store) HasDirectories() bool { return true }

// checkEntry is check for names other than the root.
func checkEntry(ctx context.Context, op, name string) error {
	if name == "." {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return check(ctx, op, name)
}

// wrapTree is wrap where a name below an object, or an object in place of a directory,
// counts as absent.
func (s *Store) wrapTree(op, name string, err error) error {
	if errors.Is(err, unix.ENOTDIR) {
		err = fmt.Errorf("%w: %v", fs.ErrNotExist, err) //nolint:errorlint // is explained by it
	}
	return s.wrap(op, name, err)
}
