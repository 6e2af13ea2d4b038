package session

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
)

// LockBackups allows one backup of a module at a time.
func LockBackups(stateDir string) (*MarkLock, error) {
	return lockState(stateDir, ".module-backup.lock", "backup")
}

// LockRestores allows one restore of a module into place at a time. The mark shows that a
// restore began and was not completed.
func LockRestores(stateDir string) (*MarkLock, error) {
	return lockState(stateDir, ".restore-module.incomplete", "restore")
}

// LockRun allows one run of a schedule on a node at a time. The directory is the node's.
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

// lockState locks a file in the state directory, without waiting.
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
