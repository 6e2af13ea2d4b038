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

// environmentCopy is, in the state directory, the module's own file environment while
// a restore may write over it: restic takes no exclude beside includes. A restore that
// was killed leaves it.
const environmentCopy = ".restore-module.environment"

// KeepingEnvironment calls restore and puts the module's own file environment back if
// it was changed: its content, its mode or its owner. The caller holds the lock on
// restores.
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
	// What a killed restore has kept is right, whatever its container does until we end it.
	if err == nil && !IsKept(stateDir) {
		err = copyWhole(name, kept, before)
	}
	if err != nil {
		return fmt.Errorf("keep the module's environment: %w", err)
	}
	err = restore()
	return errors.Join(err, putBack(name, kept))
}

// IsKept reports whether there is a copy, of a restore that runs or was killed.
func IsKept(stateDir string) bool {
	_, err := os.Lstat(filepath.Join(stateDir, environmentCopy))
	return err == nil
}

// putBack makes the file what was kept of it, and takes the copy away.
func putBack(name, kept string) error {
	if sameFile(name, kept) {
		return os.Remove(kept)
	}
	return os.Rename(kept, name)
}

// RecoverEnvironment puts back what a killed restore has kept of the module's file
// environment, before anything reads that. The copy stays, because the restore's
// container may be at work yet. It is an error if the restore itself still runs: until
// it ends the file may be another module's.
func RecoverEnvironment(s *host.System) error {
	stateDir, ok := s.Env.Lookup("AGENT_STATE_DIR")
	if !ok {
		return nil // which is told where it is needed
	}
	return ofKilledRestore(stateDir, func(name, kept string, info fs.FileInfo) error {
		return copyWhole(kept, name, info)
	})
}

// SettleEnvironment does so for good, when nothing of the killed restore is left.
func SettleEnvironment(stateDir string) error {
	return ofKilledRestore(stateDir, func(name, kept string, _ fs.FileInfo) error {
		return putBack(name, kept)
	})
}

// ofKilledRestore calls put with the file environment and its copy, if a killed
// restore has left one.
func ofKilledRestore(stateDir string, put func(name, kept string, info fs.FileInfo) error) error {
	if !IsKept(stateDir) {
		return nil // as most times
	}
	mark, err := LockRestores(stateDir)
	if err != nil {
		return err
	}
	defer mark.Release()
	kept := filepath.Join(stateDir, environmentCopy)
	info, err := os.Lstat(kept)
	if errors.Is(err, fs.ErrNotExist) {
		return mark.Remove() // of a restore that has ended meanwhile
	}
	if err != nil {
		return err
	}
	return put(filepath.Join(stateDir, "environment"), kept, info)
}

// copyWhole makes a copy of a file, with its mode and owner, that is there whole or
// not at all.
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
		// Whoever may not do this cannot change the owner by a restore either.
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
