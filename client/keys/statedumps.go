package keys

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// StateDumps are the Redis keys that every backup holds, as files in the state
// directory.
var StateDumps = []StateDump{
	{"ui_name.dump", "20label", catalog.ModuleUINameKey},
	{"ui_note.dump", "20note", catalog.ModuleUINoteKey},
}

// StateDump is a key of the module that is saved as a file of its state.
type StateDump struct {
	file string
	Step string // the restore step that stores it
	key  func(moduleID string) string
}

// Dumped is the value of a key that every backup holds.
type Dumped struct {
	File string `json:"file"` // in the state directory
	Dump []byte `json:"dump"`
}

// DumpState reads the module's existing keys of this kind.
func DumpState(ctx context.Context, rdb *redis.Client, m host.Module) ([]Dumped, error) {
	var dumped []Dumped
	for _, d := range StateDumps {
		key := d.key(m.ID)
		dump, err := rdb.Dump(ctx, key).Bytes()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return nil, host.ReadError(key, err)
		}
		dumped = append(dumped, Dumped{d.file, dump})
	}
	return dumped, nil
}

// NewDumped returns the dumps of a module's label and note, without the missing ones.
func NewDumped(name, note []byte) []Dumped {
	var dumped []Dumped
	for i, dump := range [][]byte{name, note} {
		if len(dump) > 0 {
			dumped = append(dumped, Dumped{StateDumps[i].file, dump})
		}
	}
	return dumped
}

// WriteStateDumps writes the dumps into the state directory and returns the names of the
// files. It deletes leftovers of a killed backup.
func WriteStateDumps(stateDir string, dumped []Dumped) ([]string, error) {
	if err := RemoveStateDumps(stateDir); err != nil {
		return nil, err
	}
	var written []string
	for _, d := range dumped {
		if err := os.WriteFile(filepath.Join(stateDir, d.File), d.Dump, 0o600); err != nil {
			return nil, fmt.Errorf("save the module's label and note: %w", err)
		}
		written = append(written, d.File)
	}
	return written, nil
}

// RemoveStateDumps deletes the files that WriteStateDumps wrote.
func RemoveStateDumps(stateDir string) error {
	var errs []error
	for _, d := range StateDumps {
		if err := os.Remove(filepath.Join(stateDir, d.file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Restore stores the dump, if the backup has it, and deletes the file. It replaces the key,
// so that a restore can be repeated.
func (d StateDump) Restore(ctx context.Context, sys *host.System) error {
	stateDir, err := sys.Env.StateDir()
	if err != nil {
		return err
	}
	id, err := sys.Env.ModuleID()
	if err != nil {
		return err
	}
	file, err := os.Open(filepath.Join(stateDir, d.file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the dump: %w", err)
	}
	defer func() { _ = file.Close() }()
	if sys.Env.NoRedis() {
		sys.Notef("%s is not restored: this host reaches no Redis, where the module's label and note are", d.file)
		return os.Remove(file.Name())
	}
	if err := runRedisRestore(ctx, sys, file, loadOptions{key: d.key(id), replace: true}); err != nil {
		return fmt.Errorf("%s: %w", d.file, err)
	}
	return os.Remove(file.Name())
}
