package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// restoreStateDump stores the i-th of the dumps that every backup holds, if the
// backup had it, and removes the file. It replaces the key, so that a restore can
// be repeated.
func restoreStateDump(ctx context.Context, sys *system, i int) error {
	stateDir, err := sys.env.stateDir()
	if err != nil {
		return err
	}
	id, err := sys.env.moduleID()
	if err != nil {
		return err
	}
	dump := stateDumps[i]
	file, err := os.Open(filepath.Join(stateDir, dump.file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the dump: %w", err)
	}
	defer func() { _ = file.Close() }()
	if err := runRedisRestore(ctx, sys, file, loadOptions{key: dump.key(id), replace: true}); err != nil {
		return fmt.Errorf("%s: %w", dump.file, err)
	}
	return os.Remove(file.Name())
}
