package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// stateDumps are the Redis keys that every backup holds, as files in the state
// directory.
var stateDumps = []struct {
	file string
	key  func(moduleID string) string
}{
	{"ui_name.dump", catalog.ModuleUINameKey},
	{"ui_note.dump", catalog.ModuleUINoteKey},
}

// writeStateDumps writes the dumps of those keys that exist, and returns the
// names of the files. Files that a killed backup left are gone afterwards.
func writeStateDumps(ctx context.Context, rdb *redis.Client, m module) ([]string, error) {
	if err := removeStateDumps(m.stateDir); err != nil {
		return nil, err
	}
	var written []string
	for _, d := range stateDumps {
		key := d.key(m.id)
		dump, err := rdb.Dump(ctx, key).Result()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return nil, readError(key, err)
		}
		if err := os.WriteFile(filepath.Join(m.stateDir, d.file), []byte(dump), 0o600); err != nil {
			return nil, fmt.Errorf("save %s: %w", key, err)
		}
		written = append(written, d.file)
	}
	return written, nil
}

func removeStateDumps(stateDir string) error {
	var errs []error
	for _, d := range stateDumps {
		if err := os.Remove(filepath.Join(stateDir, d.file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
