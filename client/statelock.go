package client

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// lockName is the file in the state directory that lets one backup of a module
// run at a time.
const lockName = ".module-backup.lock"

// stateLock is the exclusive lock on a module's backups.
type stateLock struct {
	*markLock
	// stale tells that an earlier backup may have left a lock in the repository.
	stale bool
}

// lockState takes the lock, without waiting.
func lockState(stateDir string) (*stateLock, error) {
	lock, err := takeMarkLock(filepath.Join(stateDir, lockName))
	switch {
	case errors.Is(err, errHeld):
		return nil, failf(exitBusy, "another backup of this module is running: %w", err)
	case err != nil:
		return nil, fmt.Errorf("lock the module's backups: %w", err)
	}
	return &stateLock{markLock: lock, stale: lock.interrupted}, nil
}

// release drops the lock. The mark stays while there may be a stale lock in the
// repository, and after an interruption too: restic before 0.17 leaves its lock
// when the signal comes while it is making it.
func (l *stateLock) release(ctx context.Context) {
	if !l.stale && ctx.Err() == nil {
		l.clear()
	}
	l.markLock.release()
}
