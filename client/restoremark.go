package client

import (
	"errors"
	"fmt"
	"path/filepath"
)

// restoreMarkName is the file in the state directory that stands for a restore
// into place that has begun and was not completed. Who restores holds a lock on
// it, so that one restore of a module runs at a time.
const restoreMarkName = ".restore-module.incomplete"

// beginRestore makes the mark. Its interrupted tells that the last restore was
// not completed.
func beginRestore(stateDir string) (*markLock, error) {
	mark, err := takeMarkLock(filepath.Join(stateDir, restoreMarkName))
	switch {
	case errors.Is(err, errHeld):
		return nil, failf(exitBusy, "another restore of this module is running: %w", err)
	case err != nil:
		return nil, fmt.Errorf("begin the restore: %w", err)
	}
	return mark, nil
}
