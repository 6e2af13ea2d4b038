package client

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// environmentCopy is, in the state directory, the module's own file environment while
// a restore may write over it: restic takes no exclude beside includes. A restore that
// was killed leaves it.
const environmentCopy = ".restore-module.environment"

// keepingEnvironment calls restore and puts the module's own file environment back if
// it was changed: its content, its mode or its owner. The caller holds the lock on
// restores.
func keepingEnvironment(stateDir string, restore func() error) error {
	name, kept := filepath.Join(stateDir, "environment"), filepath.Join(stateDir, environmentCopy)
	before, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		err := restore()
		if removeErr := os.Remove(name); !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
		return err
	}
	if err == nil {
		err = copyWhole(name, kept, before)
	}
	if err != nil {
		return fmt.Errorf("keep the module's environment: %w", err)
	}
	err = restore()
	if sameFile(name, kept) {
		return errors.Join(err, os.Remove(kept))
	}
	return errors.Join(err, os.Rename(kept, name))
}

// recoverEnvironment puts back what a killed restore has kept of the module's file
// environment, before anything reads that. It is an error if the restore still goes
// on: until it ends the file may be another module's.
func (s *system) recoverEnvironment() error {
	stateDir, ok := s.env.lookup("AGENT_STATE_DIR")
	if !ok {
		return nil // which is told where it is needed
	}
	kept := filepath.Join(stateDir, environmentCopy)
	if _, err := os.Lstat(kept); err != nil {
		return nil // most times there is none
	}
	mark, err := lockRestores(stateDir)
	if err != nil {
		return err
	}
	defer mark.release()
	if err := os.Rename(kept, filepath.Join(stateDir, "environment")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return mark.remove() // of a restore that has ended meanwhile
}

// copyWhole makes a copy of a file, with its mode and owner, that is there whole or
// not at all.
func copyWhole(from, to string, info fs.FileInfo) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	half := to + ".new"
	if err := os.WriteFile(half, data, 0o600); err != nil {
		return errors.Join(err, os.Remove(half))
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		// Whoever may not do this cannot change the owner by a restore either.
		_ = os.Lchown(half, int(stat.Uid), int(stat.Gid))
	}
	return errors.Join(os.Chmod(half, info.Mode().Perm()), os.Rename(half, to))
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
