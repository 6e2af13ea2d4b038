//go:build unix

package local

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// dirFD is the descriptor of an open directory. Its methods take the name of an entry,
// never a path, and do not follow symbolic links.
type dirFD int

// dirEntry is an entry as the directory describes it, without a stat.
type dirEntry struct {
	name  string
	isDir bool // known to be a directory
}

// directory are the flags for opening a directory.
const directory = unix.O_RDONLY | unix.O_DIRECTORY

func openDir(at int, name string, flags int) (dirFD, error) {
	fd, err := openat(at, name, directory|flags, 0)
	return dirFD(fd), err
}

func (d dirFD) close() { _ = unix.Close(int(d)) }

func (d dirFD) stat(name string, st *unix.Stat_t) error {
	return retry(func() error { return unix.Fstatat(int(d), name, st, unix.AT_SYMLINK_NOFOLLOW) })
}

func (d dirFD) open(name string) (dirFD, error) { return openDir(int(d), name, unix.O_NOFOLLOW) }

// make creates a directory, unless it exists.
func (d dirFD) make(name string) error {
	err := retry(func() error { return unix.Mkdirat(int(d), name, 0o700) })
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

func (d dirFD) remove(name string) error {
	return retry(func() error { return unix.Unlinkat(int(d), name, 0) })
}

func (d dirFD) rename(from, to string) error {
	return retry(func() error { return unix.Renameat(int(d), from, int(d), to) })
}

// walk opens a path below root step by step, which works on all systems.
func walk(root int, name string, flags int) (int, error) {
	at := root
	for {
		step, below, more := strings.Cut(name, "/")
		next, err := openat(at, step, stepFlags(more, flags), 0)
		if err == unix.ENOTDIR && dirFD(at).isLink(step) { //nolint:errorlint // a bare errno
			err = unix.ELOOP
		}
		if at != root {
			dirFD(at).close()
		}
		if err != nil || !more {
			return next, err
		}
		at, name = next, below
	}
}

// isLink reports whether an entry is a symbolic link. When links are not followed, the
// system says that a link is not a directory.
func (d dirFD) isLink(name string) bool {
	var st unix.Stat_t
	return d.stat(name, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK
}

// stepFlags returns the flags for a step of a path: those of a directory on the way, or
// flags for the last one.
func stepFlags(onTheWay bool, flags int) int {
	if onTheWay {
		flags = directory
	}
	return flags | unix.O_NOFOLLOW
}

func openat(at int, name string, flags int, mode uint32) (fd int, err error) {
	err = retry(func() error {
		fd, err = unix.Openat(at, name, flags|unix.O_CLOEXEC, mode)
		return err
	})
	return fd, err
}

// retry repeats a system call that a signal interrupted, which happens on network file
// systems.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR { //nolint:errorlint // a bare errno
			return err
		}
	}
}

// errIrregular says that something is neither an object nor a directory.
var errIrregular = errors.New("neither a regular file nor a directory (symbolic links below the root are not followed)")

// regular says why something is not an object. A directory counts as absent, since there is
// no object with that name.
func regular(st *unix.Stat_t) error {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return nil
	case unix.S_IFDIR:
		return fs.ErrNotExist
	}
	return errIrregular
}

// wrap adds operation and name to an error. Missing permissions are the gateway's, so they
// must not look like a refusal of the client. If they allow reading but not a change, the
// failure is not temporary.
func (s *Store) wrap(op, name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ELOOP):
		err = errIrregular
	case errors.Is(err, fs.ErrPermission) && changes(op) && s.mayRead(path.Dir(name)):
		err = fmt.Errorf("%w: %v", storage.ErrReadOnly, err) //nolint:errorlint // must not count as fs.ErrPermission
	case errors.Is(err, fs.ErrPermission):
		err = fmt.Errorf("%w: %v", storage.ErrUnavailable, err) //nolint:errorlint // must not count as fs.ErrPermission
	}
	return &fs.PathError{Op: op, Path: s.path(name), Err: err}
}

// changes reports whether an operation, as named in errors, changes an object.
func changes(op string) bool { return op == "put" || op == "remove" || op == "move" }

// mayRead reports whether a directory, or its nearest existing parent, can be read.
func (s *Store) mayRead(name string) bool {
	dir, err := s.openDir(name)
	switch {
	case err == nil:
		dir.close()
	case errors.Is(err, fs.ErrNotExist) && name != ".":
		return s.mayRead(path.Dir(name))
	}
	return err == nil
}

// fileInfo describes an object.
type fileInfo struct {
	name    string
	size    int64
	modTime time.Time
	mode    fs.FileMode
}

func (i *fileInfo) set(name string, st *unix.Stat_t) {
	*i = fileInfo{
		name:    name,
		size:    st.Size,
		modTime: time.Unix(st.Mtim.Unix()),
		mode:    fs.FileMode(st.Mode) & fs.ModePerm,
	}
}

// setDir describes a directory.
func (i *fileInfo) setDir(name string, st *unix.Stat_t) {
	i.set(name, st)
	i.size, i.mode = 0, i.mode|fs.ModeDir
}

func (i *fileInfo) Name() string       { return i.name }
func (i *fileInfo) Size() int64        { return i.size }
func (i *fileInfo) Mode() fs.FileMode  { return i.mode }
func (i *fileInfo) ModTime() time.Time { return i.modTime }
func (i *fileInfo) IsDir() bool        { return i.mode.IsDir() }
func (i *fileInfo) Sys() any           { return nil }
