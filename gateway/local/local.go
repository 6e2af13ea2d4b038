//go:build unix

// Package local is a [storage.Store] on a plain directory: uploads are atomic and
// durable, reads end in sendfile, and a list that could not see everything is an
// error.
//
// Names are used as they come: data/ab/abcd… is the caller's layout, and it is
// that of rest-server and of "rclone serve restic", whose repositories are
// served unchanged. Files are made with mode 0600 and directories with 0700,
// less the umask.
//
// # Symbolic links
//
// The root itself may be a symbolic link or lie behind some. Below the root none
// is followed, wherever it leads: an object behind one is an error of every
// method, a list included, and never just absent. Where a part of the tree must
// live on another disk, use a bind mount.
//
// # The root
//
// Each call opens the root again, so that no descriptor keeps a disk from being
// unmounted and none writes beneath a file system that was mounted later. Without
// the root nothing is proven absent: a root that is gone is
// [storage.ErrUnavailable], and so is, with [OpenMarked], one that lost its marker.
// So is whatever the operating system's permissions refuse, since it is the
// gateway that they refuse and not the client. All other failures keep their
// errno (ENOSPC, EDQUOT, EROFS, EIO, …).
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// resolver opens paths below a directory without following symbolic links.
type resolver func(root int, name string, flags int) (fd int, err error)

// Store is a directory. All methods are safe for concurrent use, also by several processes.
type Store struct {
	root    string
	resolve resolver
	direct  func(path string, flags int) (fd int, err error)
	fsync   func(fd int) error
	marker  *marker

	// durable holds the names of directories that are known to survive a power failure,
	// with all their parents.
	durable sync.Map
	// fleeting is set once the file system was found not to sync anything.
	fleeting atomic.Bool
	// named is set once an unnamed file could not be given a name: uploads then have
	// temporary names.
	named atomic.Bool
}

var (
	_ storage.Store   = (*Store)(nil)
	_ storage.Creator = (*Store)(nil)
)

// Open returns the store in the existing directory root.
func Open(root string) (*Store, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	fd, err := openDir(unix.AT_FDCWD, abs, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: abs, Err: err}
	}
	defer fd.close()
	return &Store{root: abs, resolve: resolverFor(fd), direct: directFor(abs), fsync: fsync}, nil
}

// Stat implements [storage.Store].
func (s *Store) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	if err := check(ctx, "stat", name); err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := s.stat(name, &st); err != nil {
		return nil, s.wrapTree("stat", name, err)
	}
	if err := regular(&st); err != nil {
		return nil, s.wrap("stat", name, err)
	}
	info := new(fileInfo)
	info.set(path.Base(name), &st)
	s.adopt(name)
	return info, nil
}

// stat looks at an object without opening it for reading.
func (s *Store) stat(name string, st *unix.Stat_t) error {
	fd, err := s.find(name, pathOnly, st)
	if err != nil {
		return err
	}
	dirFD(fd).close()
	return nil
}

// Open implements [storage.Store]. The body is an [*os.File] that is at off and continues
// to the end, whatever n is: the caller counts the bytes, like [io.CopyN], so that net/http
// can use sendfile.
func (s *Store) Open(ctx context.Context, name string, off, _ int64) (io.ReadCloser, int64, error) {
	if err := check(ctx, "open", name); err != nil {
		return nil, 0, err
	}
	file, size, err := s.open(name)
	if err != nil {
		return nil, 0, s.wrapTree("open", name, err)
	}
	if off < 0 || off > size || off == size && size > 0 {
		file.Close()
		return nil, size, fmt.Errorf("open %s at %d of %d: %w", name, off, size, storage.ErrRange)
	}
	if off > 0 {
		if _, err := file.Seek(off, io.SeekStart); err != nil {
			file.Close()
			return nil, 0, err
		}
	}
	s.adopt(name)
	return file, size, nil
}

func (s *Store) open(name string) (*os.File, int64, error) {
	var st unix.Stat_t
	fd, err := s.find(name, unix.O_RDONLY, &st)
	if err != nil {
		return nil, 0, err
	}
	file := os.NewFile(uintptr(fd), s.path(name))
	if err := regular(&st); err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, st.Size, nil
}

// find opens an object and checks what it is.
func (s *Store) find(name string, flags int, st *unix.Stat_t) (int, error) {
	fd, err := s.openDirectly(name, flags)
	if err != nil {
		fd, err = s.openBelow(name, flags)
	}
	if err != nil {
		return -1, err
	}
	if err := retry(func() error { return unix.Fstat(fd, st) }); err != nil {
		dirFD(fd).close()
		return -1, err
	}
	return fd, nil
}

// Remove implements [storage.Store]. It does not sync the directory of locks: a lock that
// reappears after a power failure is like that of a client that failed then.
func (s *Store) Remove(ctx context.Context, name string) error {
	if err := check(ctx, "remove", name); err != nil {
		return err
	}
	dir, err := s.openDir(path.Dir(name))
	if err != nil {
		return s.wrap("remove", name, err)
	}
	defer dir.close()
	if err := dir.remove(path.Base(name)); err != nil {
		return s.wrap("remove", name, err)
	}
	if _, _, kind := storage.SplitName(name); kind == "locks" {
		return nil
	}
	return s.wrap("sync directory of", name, s.sync(int(dir)))
}

// openDir opens a directory below the root.
func (s *Store) openDir(name string) (dirFD, error) {
	if name == "." {
		return s.openRoot()
	}
	fd, err := s.openBelow(name, directory)
	return dirFD(fd), err
}

// errIndirect asks for the slower way, through the root's descriptor.
var errIndirect = errors.New("not to be opened by its path")

// openDirectly opens something below the root by its full path, which saves two system
// calls. If it finds something, that exists; otherwise nothing is proven.
func (s *Store) openDirectly(name string, flags int) (int, error) {
	if s.direct == nil || !s.marker.unchanged() {
		return -1, errIndirect
	}
	return s.direct(s.root+"/"+name, flags)
}

// openBelow opens something below the root.
func (s *Store) openBelow(name string, flags int) (int, error) {
	root, err := s.openRootAs(pathOnly)
	if err != nil {
		return -1, err
	}
	defer root.close()
	return s.resolve(int(root), name, flags)
}

// openRoot opens the root for reading and syncing.
func (s *Store) openRoot() (dirFD, error) { return s.openRootAs(unix.O_RDONLY) }

// openRootAs opens the root. Without it, or without its marker if it had one, nothing can
// be said about its content.
func (s *Store) openRootAs(flags int) (dirFD, error) {
	fd, err := openDir(unix.AT_FDCWD, s.root, flags)
	if err != nil {
		return -1, s.marker.noRoot(err)
	}
	if err := s.marker.check(fd); err != nil {
		fd.close()
		return -1, err
	}
	return fd, nil
}

func (s *Store) path(name string) string { return filepath.Join(s.root, name) }

// check says why a call is invalid.
func check(ctx context.Context, op, name string) error {
	if !fs.ValidPath(name) || strings.ContainsRune(name, 0) || isTemp(path.Base(name)) || path.Base(name) == markerName {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s %s: %w", op, name, err)
	}
	return nil
}
