package restore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/client/session"
	"github.com/rclone-gateway/rclone-gateway/client/state"
)

// assist does the work where the files belong to us.
func (a *assistance) assist() (assisted, error) {
	if err := a.removeAll(); err != nil || !a.Finish {
		return assisted{}, err
	}
	return a.walk()
}

// removeAll checks all paths before it removes the first: the last of several hard links
// would look like an ordinary file.
func (a *assistance) removeAll() error {
	for _, p := range a.Places {
		root, err := os.OpenRoot(p.Dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = removeIn(root, p.Path, a.Remove)
		if err := errors.Join(err, root.Close()); err != nil {
			return err
		}
	}
	return nil
}

// removeIn removes what restic will recreate from the snapshot's paths below prefix. It
// follows no link out of root.
func removeIn(root *os.Root, prefix string, paths []string) error {
	var doomed []string
	for _, p := range paths {
		relative, below := strings.CutPrefix(p, prefix+"/")
		if !below {
			continue
		}
		info, err := root.Lstat(relative)
		if err == nil && !info.IsDir() && (!info.Mode().IsRegular() || hardLinked(info)) {
			doomed = append(doomed, relative)
		}
	}
	for _, p := range doomed {
		if err := root.Remove(p); err != nil {
			return err
		}
	}
	return nil
}

func hardLinked(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink > 1
}

// walk finishes all restored files.
func (a *assistance) walk() (assisted, error) {
	var done assisted
	since := a.Since.Add(-state.ClockTolerance)
	for _, p := range a.Places {
		err := filepath.WalkDir(p.Dir, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if strings.HasPrefix(entry.Name(), session.RunNotePrefix) {
				return nil // our own file, which is written when restic starts
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if state.ChangedSince(info, since) {
				a.finishOne(name, info, &done)
			}
			// A file that we wrote just before is finished too, to be safe, but not counted
			// as restored.
			if state.ChangedSince(info, a.Since) {
				done.count(info)
			}
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return done, err
		}
	}
	return done, nil
}

func (d *assisted) count(info fs.FileInfo) {
	d.Files++
	if info.Mode().IsRegular() {
		d.Bytes += uint64(info.Size())
	}
}

func (a *assistance) finishOne(name string, info fs.FileInfo, done *assisted) {
	if info.Mode().IsRegular() && a.Sparse {
		if err := digHoles(name, info); err != nil {
			done.Warnings = append(done.Warnings, fmt.Sprintf("%s cannot be made sparse: %v", name, err))
		}
	}
	if err := dropSecurityAttributes(name); err != nil {
		done.Warnings = append(done.Warnings, fmt.Sprintf("%s keeps its security attributes: %v", name, err))
	}
}

// dropSecurityAttributes removes security.* attributes, such as capabilities, from a file.
// The SELinux label stays: the system gives one to every file.
func dropSecurityAttributes(name string) error {
	size, err := unix.Llistxattr(name, nil)
	if err != nil || size == 0 {
		return ignoreUnsupported(err)
	}
	list := make([]byte, size)
	if size, err = unix.Llistxattr(name, list); err != nil {
		return ignoreUnsupported(err)
	}
	var errs []error
	for attribute := range strings.SplitSeq(string(list[:size]), "\x00") {
		if strings.HasPrefix(attribute, "security.") && attribute != "security.selinux" {
			errs = append(errs, unix.Lremovexattr(name, attribute))
		}
	}
	return errors.Join(errs...)
}

func ignoreUnsupported(err error) error {
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}

// holeSize is the minimum length of a run of zeros that becomes a hole.
const holeSize = 64 << 10

// digHoles frees the blocks of a file that contain only zeros, and keeps its times.
func digHoles(name string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Size() < holeSize || stat.Blocks*512 < holeSize {
		return nil
	}
	file, err := os.OpenFile(name, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	dug, err := digHolesIn(file)
	if err != nil || !dug {
		return ignoreUnsupported(err)
	}
	return os.Chtimes(name, time.Unix(stat.Atim.Unix()), info.ModTime())
}

func digHolesIn(file *os.File) (dug bool, err error) {
	var zeros, block [holeSize]byte
	for offset := int64(0); ; offset += holeSize {
		n, err := io.ReadFull(file, block[:])
		if n == holeSize && block == zeros {
			const mode = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
			if err := unix.Fallocate(int(file.Fd()), mode, offset, holeSize); err != nil {
				return dug, err
			}
			dug = true
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return dug, nil
		case err != nil:
			return dug, err
		}
	}
}
