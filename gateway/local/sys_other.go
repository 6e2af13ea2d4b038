//go:build unix && !linux

package local

import (
	"errors"
	"io"
	"iter"
	"os"

	"golang.org/x/sys/unix"
)

func resolverFor(dirFD) resolver { return walk }

func directFor(string) func(path string, flags int) (int, error) { return nil }

// pathOnly opens something for a stat; some systems have a cheaper way.
const pathOnly = unix.O_RDONLY

// fsync uses [os.File.Sync], which does what each system needs: on macOS, fsync(2) alone
// leaves data in the disk's cache.
func fsync(fd int) error {
	file, err := dup(fd)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// nameless fails: there are no unnamed files.
func (dirFD) nameless() (int, error) { return -1, unix.ENOTSUP }

func (dirFD) link(int, string) error { return unix.ENOTSUP }

func dup(fd int) (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), ""), nil
}

// entries reads the directory.
func (d dirFD) entries([]byte) iter.Seq2[dirEntry, error] {
	return func(yield func(dirEntry, error) bool) {
		dir, err := dup(int(d))
		if err != nil {
			yield(dirEntry{}, err)
			return
		}
		defer dir.Close()
		for {
			batch, err := dir.ReadDir(1024)
			for _, entry := range batch {
				if !yield(dirEntry{name: entry.Name(), isDir: entry.IsDir()}, nil) {
					return
				}
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(dirEntry{}, err)
				return
			}
		}
	}
}

// renameOverNothing renames a directory unless the name is taken.
func renameOverNothing(source dirFD, from string, target dirFD, to string) error {
	return renameSlowly(source, from, target, to)
}
