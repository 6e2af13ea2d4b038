package drill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/state"
)

// defaultBase is where drills restore to: a disk, writable by every user.
const defaultBase = "/var/tmp"

// baseVariable names another directory. Drills of schedules use it too.
const baseVariable = "GATEWAYCTL_DRILL_DIR"

// baseOf returns the directory below which drills restore.
func baseOf(env *host.Environment, dir string) string {
	named, _ := env.Lookup(baseVariable)
	return cmp.Or(dir, named, defaultBase)
}

// home is one user's directory for drills, below a base that others may be able to write
// to.
type home struct {
	dir      string
	unshared bool // restored files belong to users of Podman's user namespace
}

// openHome creates the directory, or verifies that it belongs to us.
func openHome(base string, unshared bool) (home, error) {
	base, err := filepath.Abs(base)
	if err != nil {
		return home{}, err
	}
	dir := filepath.Join(base, "gatewayctl-drill-"+strconv.Itoa(os.Geteuid()))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return home{}, fmt.Errorf("make a place for drills: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return home{}, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != os.Geteuid() || info.Mode().Perm()&0o077 != 0 {
		return home{}, exit.Failf(exit.Usage, "%s is not a directory that is ours alone: remove it, or name another place with --dir", dir)
	}
	return home{dir, unshared}, nil
}

// lockName is a file that stays locked while its drill runs.
const lockName = ".lock"

// dataName is the directory that is restored to.
const dataName = "data"

// spot is the directory of one drill.
type spot struct {
	home home
	dir  string
	lock *os.File
}

// data returns the directory to restore to.
func (s *spot) data() string { return filepath.Join(s.dir, dataName) }

// take creates the directory for a drill.
func (h home) take(module string) (*spot, error) {
	dir, err := os.MkdirTemp(h.dir, module+"-")
	if err != nil {
		return nil, fmt.Errorf("make a place for the drill: %w", err)
	}
	s := &spot{home: h, dir: dir}
	if s.lock, err = os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600); err == nil {
		err = errors.Join(flock(s.lock), os.Mkdir(s.data(), 0o700))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a place for the drill: %w", err), os.RemoveAll(dir))
	}
	return s, nil
}

// flock takes a lock that ends with the process. It does not wait.
func flock(file *os.File) error { return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

// remove deletes the directory and everything in it.
func (s *spot) remove(ctx context.Context) error {
	err := s.home.removeAll(ctx, s.dir)
	return errors.Join(err, s.lock.Close())
}

// removeLeftovers deletes the directories of killed drills, and returns how many.
func (h home) removeLeftovers(ctx context.Context) (int, error) {
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		return 0, err
	}
	removed := 0
	var failed error
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		dir := filepath.Join(h.dir, e.Name())
		lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|unix.O_CLOEXEC, 0)
		if errors.Is(err, fs.ErrNotExist) {
			// It is just being created or removed.
			if err := os.Remove(dir); err == nil {
				removed++
			} else if errors.Is(err, unix.ENOTEMPTY) {
				failed = errors.Join(failed, h.removeAll(ctx, dir))
				removed++
			}
			continue
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		if flock(lock) == nil {
			failed = errors.Join(failed, h.removeAll(ctx, dir))
			removed++
		}
		_ = lock.Close()
	}
	return removed, failed
}

// removeAll deletes a directory, in the user namespace that may delete its files.
func (h home) removeAll(ctx context.Context, dir string) error {
	ctx = context.WithoutCancel(ctx) // also after a signal
	if !strings.HasPrefix(dir, h.dir+string(filepath.Separator)) {
		return fmt.Errorf("%s is no place of a drill", dir)
	}
	if !h.unshared {
		return forceRemove(dir)
	}
	return inNamespace(ctx, assistance{Remove: dir}, new(assisted))
}

// forceRemove deletes a directory, including read-only directories in it.
func forceRemove(dir string) error {
	err := os.RemoveAll(dir)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	err = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, _ error) error {
		if entry != nil && entry.IsDir() {
			_ = os.Chmod(name, 0o700) // RemoveAll reports the error
		}
		return nil
	})
	return errors.Join(err, os.RemoveAll(dir))
}

// space returns how many bytes are free for us.
func (s *spot) space() (uint64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(s.dir, &stat); err != nil {
		return 0, err
	}
	return stat.Bavail * uint64(stat.Bsize), nil //nolint:gosec // a block has some size
}

func inNamespace(ctx context.Context, in assistance, out *assisted) error {
	return state.InPodmanNamespace(ctx, "module-drill", assistFlag, in, out)
}
