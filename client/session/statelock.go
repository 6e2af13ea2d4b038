package session

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
)

// LockBackups lets one backup of a module run at a time.
func LockBackups(stateDir string) (*MarkLock, error) {
	return lockState(stateDir, ".module-backup.lock", "backup")
}

// LockRestores lets one restore into place of a module run at a time. Its mark stands
// for one that has begun and was not completed.
func LockRestores(stateDir string) (*MarkLock, error) {
	return lockState(stateDir, ".restore-module.incomplete", "restore")
}

// LockRun lets one run of a schedule go on at a time on a node, whose directory it is.
func LockRun(dir, schedule string) (*MarkLock, error) {
	lock, err := takeMarkLock(filepath.Join(dir, "run-"+schedule+".lock"))
	switch {
	case errors.Is(err, errHeld):
		return nil, exit.Failf(exit.Busy, "another run of schedule %s is going on on this node: %w", schedule, err)
	case err != nil:
		return nil, fmt.Errorf("lock the runs of schedule %s: %w", schedule, err)
	}
	return lock, nil
}

// lockState takes the lock on a file in the state directory, without waiting.
func lockState(stateDir, name, does string) (*MarkLock, error) {
	lock, err := takeMarkLock(filepath.Join(stateDir, name))
	switch {
	case errors.Is(err, errHeld):
		return nil, exit.Failf(exit.Busy, "another %s of this module is running: %w", does, err)
	case err != nil:
		return nil, fmt.Errorf("lock the module's %ss: %w", does, err)
	}
	return lock, nil
}
