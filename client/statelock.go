package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockName is the file in the state directory that lets one backup of a module
// run at a time.
const lockName = ".module-backup.lock"

// stateLock is the exclusive lock on a module's backups. While it is held its
// file is not empty, so that the next holder sees when one was interrupted. The
// kernel drops the lock with the process; commands that we start do not inherit it.
type stateLock struct {
	file *os.File
	// stale tells that an earlier backup may have left a lock in the repository.
	stale bool
}

// lockState takes the lock, without waiting.
func lockState(stateDir string) (*stateLock, error) {
	file, err := os.OpenFile(filepath.Join(stateDir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the module's backups: %w", err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, failf(exitBusy, "another backup of this module is running: %s is locked", file.Name())
		}
		return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	info, err := file.Stat()
	if err == nil {
		_, err = fmt.Fprintln(io.NewOffsetWriter(file, 0), os.Getpid())
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("write %s: %w", file.Name(), err)
	}
	return &stateLock{file: file, stale: info.Size() > 0}, nil
}

// release drops the lock. The mark stays while there may be a stale lock in the
// repository, and after an interruption too: restic before 0.17 leaves its lock
// when the signal comes while it is making it.
func (l *stateLock) release(ctx context.Context) {
	if !l.stale && ctx.Err() == nil {
		// A mark that stays does no harm: the next backup looks for stale locks.
		_ = l.file.Truncate(0)
	}
	_ = l.file.Close()
}
