//go:build unix

package local

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

var _ storage.Mover = (*Store)(nil)

// Renames implements [storage.Mover].
func (*Store) Renames() bool { return true }

// Move implements [storage.Mover]. It syncs only the new directory. Journaling file systems
// record both ends of a rename at once; on others, a power failure may leave the object
// under both names, but never under none.
func (s *Store) Move(ctx context.Context, from string, to func(fs.FileInfo) string) error {
	if err := check(ctx, "move", from); err != nil {
		return err
	}
	source, err := s.openDir(path.Dir(from))
	if err != nil {
		return s.wrap("move", from, err)
	}
	defer source.close()
	var st unix.Stat_t
	if err := source.stat(path.Base(from), &st); err != nil {
		return s.wrap("move", from, err)
	}
	if err := regular(&st); err != nil {
		return s.wrap("move", from, err)
	}
	var info fileInfo
	info.set(path.Base(from), &st)
	name := to(&info)
	if err := check(ctx, "move", name); err != nil {
		return err
	}
	target, err := s.makeDir(path.Dir(name))
	if err != nil {
		return s.wrapPut(name, err)
	}
	defer target.close()
	err = retry(func() error { return unix.Renameat(int(source), path.Base(from), int(target), path.Base(name)) })
	switch {
	case errors.Is(err, unix.EXDEV):
		return s.carry(ctx, from, name)
	case err != nil:
		return s.wrap("move", from, err)
	}
	return s.wrap("sync directory of", name, s.sync(int(target)))
}
