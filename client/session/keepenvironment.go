package session

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// environmentCopy is a copy of the module's own file environment, in the state directory,
// while a restore may overwrite the file: restic cannot combine excludes with includes. A
// killed restore leaves the copy behind.
const environmentCopy = ".restore-module.environment"

// KeepingEnvironment calls restore, and afterwards restores the content, mode and owner of
// the module's file environment. The caller holds the lock on restores.
func KeepingEnvironment(stateDir string, restore func() error) error {
	name, kept := filepath.Join(stateDir, "environment"), filepath.Join(stateDir, environmentCopy)
	before, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		err := restore()
		if removeErr := os.Remove(name); !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
		return err
	}
	// The copy of a killed restore is the right one, whatever its container does until we
	// stop it.
	if err == nil && !IsKept(stateDir) {
		err = copyWhole(name, kept, before)
	}
	if err != nil {
		return fmt.Errorf("keep the module's environment: %w", err)
	}
	err = restore()
	return errors.Join(err, putBack(name, kept))
}

// IsKept reports whether a copy exists, because a restore is running or was killed.
func IsKept(stateDir string) bool {
	_, err := os.Lstat(filepath.Join(stateDir, environmentCopy))
	return err == nil
}

// putBack restores the file from the copy, and deletes the copy.
func putBack(name, kept string) error {
	if sameFile(name, kept) {
		return os.Remove(kept)
	}
	return os.Rename(kept, name)
}

// RecoverEnvironment restores the module's file environment from the copy of a killed
// restore, before anything reads it. The copy stays, since the restore's container may
// still be running. If the restore itself is still running, that is an error: until it ends
// the file may be another module's.
func RecoverEnvironment(s *host.System) error {
	stateDir, ok := s.Env.Lookup("AGENT_STATE_DIR")
	if !ok {
		return nil // reported where it is needed
	}
	return ofKilledRestore(stateDir, func(name, kept string, info fs.FileInfo) error {
		return copyWhole(kept, name, info)
	})
}

// SettleEnvironment does the same once nothing of the killed restore is left, and deletes
// the copy.
func SettleEnvironment(stateDir string) error {
	return ofKilledRestore(stateDir, func(name, kept string, _ fs.FileInfo) error {
		return putBack(name, kept)
	})
}

// ofKilledRestore calls put with the file environment and its copy, if a killed restore
// left one.
func ofKilledRestore(stateDir string, put func(name, kept string, info fs.FileInfo) error) error {
	if !IsKept(stateDir) {
		return nil // the usual case
	}
	mark, err := LockRestores(stateDir)
	if err != nil {
		return err
	}
	defer mark.Release()
	kept := filepath.Join(stateDir, environmentCopy)
	info, err := os.Lstat(kept)
	if errors.Is(err, fs.ErrNotExist) {
		return mark.Remove() // left by a restore that has ended meanwhile
	}
	if err != nil {
		return err
	}
	return put(filepath.Join(stateDir, "environment"), kept, info)
}

// copyWhole copies a file with mode and owner, atomically.
func copyWhole(from, to string, info fs.FileInfo) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	half, err := atomicfile.Prepare(to, data, 0o600)
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		// A user who may not change the owner cannot lose it by a restore either.
		_ = os.Lchown(half.Name(), int(stat.Uid), int(stat.Gid))
	}
	if err := os.Chmod(half.Name(), info.Mode().Perm()); err != nil {
		half.Drop()
		return err
	}
	return half.Commit()
}

// sameFile reports whether two files have the same content, mode and owner.
func sameFile(a, b string) bool {
	infoA, errA := os.Lstat(a)
	infoB, errB := os.Lstat(b)
	if errA != nil || errB != nil || infoA.Mode() != infoB.Mode() {
		return false
	}
	statA, okA := infoA.Sys().(*syscall.Stat_t)
	statB, okB := infoB.Sys().(*syscall.Stat_t)
	if !okA || !okB || statA.Uid != statB.Uid || statA.Gid != statB.Gid {
		return false
	}
	dataA, errA := os.ReadFile(a)
	dataB, errB := os.ReadFile(b)
	return errA == nil && errB == nil && bytes.Equal(dataA, dataB)
}
