package client

import (
	"errors"
	"fmt"
	"path/filepath"
)

// lockName is the file in the state directory that lets one backup of a module
// run at a time.
const lockName = ".module-backup.lock"

// lockState takes the exclusive lock on a module's backups, without waiting.
func lockState(stateDir string) (*markLock, error) {
	lock, err := takeMarkLock(filepath.Join(stateDir, lockName))
	switch {
	case errors.Is(err, errHeld):
		return nil, failf(exitBusy, "another backup of this module is running: %w", err)
	case err != nil:
		return nil, fmt.Errorf("lock the module's backups: %w", err)
	}
	return lock, nil
}
