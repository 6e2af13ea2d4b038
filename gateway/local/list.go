//go:build unix

package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// List implements [storage.Store]. It leaves out what vanishes meanwhile; anything else
// that it cannot examine, including a symbolic link, is an error. It deletes incomplete
// files after a day.
//
// A directory of up to some 1,400 objects is read by one system call, and so is consistent.
// In a larger one, an object that is put again meanwhile may be listed twice or not at all
// on file systems that move its entry.
func (s *Store) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	if err := check(ctx, "list", dir); err != nil {
		return err
	}
	fd, err := s.openDir(dir)
	if err != nil {
		return s.wrap("list", dir, err)
	}
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	l := lister{ctx: ctx, store: s, fn: fn, buf: buf[:]}
	return l.list(fd, dir)
}

// lister is a list in progress.
type lister struct {
	ctx   context.Context
	store *Store
	fn    func(fs.FileInfo) error
	buf   []byte      // for reading directories
	stat  unix.Stat_t // of the entry at hand
	info  fileInfo    // of the present entry
}

// list lists the objects of a directory, which it closes, and then those in its
// subdirectories.
func (l *lister) list(dir dirFD, name string) error {
	defer dir.close()
	var subdirs []string
	for entry, err := range dir.entries(l.buf) {
		if err != nil {
			return l.store.wrap("list", name, err)
		}
		isDir, err := l.entry(dir, name, entry)
		if err != nil {
			return err
		}
		if isDir {
			subdirs = append(subdirs, entry.name)
		}
	}
	for _, subdir := range subdirs {
		if err := l.descend(dir, subdir, path.Join(name, subdir)); err != nil {
			return err
		}
	}
	return nil
}

// entry passes on an object, or reports a directory.
func (l *lister) entry(dir dirFD, parent string, entry dirEntry) (isDir bool, err error) {
	if err := l.ctx.Err(); err != nil {
		return false, fmt.Errorf("list %s: %w", parent, err)
	}
	if entry.isDir {
		return true, nil
	}
	if entry.name == markerName {
		return false, nil
	}
	err = dir.stat(entry.name, &l.stat)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err == nil && l.stat.Mode&unix.S_IFMT == unix.S_IFDIR {
		return true, nil
	}
	if err == nil {
		err = regular(&l.stat)
	}
	if err != nil {
		return false, l.store.wrap("list", path.Join(parent, entry.name), err)
	}
	l.info.set(entry.name, &l.stat)
	if isTemp(entry.name) {
		if time.Since(l.info.modTime) > tempExpires {
			_ = dir.remove(entry.name) // otherwise the next list tries again
		}
		return false, nil
	}
	return false, l.fn(&l.info)
}

func (l *lister) descend(parent dirFD, base, name string) error {
	dir, err := parent.open(base)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return l.store.wrap("list", name, err)
	}
	return l.list(dir, name)
}
