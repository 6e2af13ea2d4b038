//go:build unix

package local

import (
	"errors"
	"log/slog"

	"golang.org/x/sys/unix"
)

// sync makes a file or a directory survive a power failure. Some file systems cannot, such
// as some FUSE ones: they are used anyway, and the log says once that data is not durable.
func (s *Store) sync(fd int) error {
	err := s.fsync(fd)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	if !s.fleeting.Swap(true) {
		log, dest := slog.Default(), ""
		if s.marker != nil {
			log, dest = s.marker.Log, s.marker.ID
		}
		log.Warn("the file system of a destination cannot be synced", "dest", dest, "root", s.root, "err", err,
			"hint", "backups work, but a power failure may take the newest objects with it, though they were acknowledged: run restic check after one, or use another file system")
	}
	return nil
}

// Fleeting reports whether the file system was found to be unable to sync: stored data may
// not survive a power failure.
func (s *Store) Fleeting() bool { return s.fleeting.Load() }
