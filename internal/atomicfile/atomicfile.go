// Package atomicfile replaces files so that a reader, and a crash, finds the old
// content or the new one, whole.
package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Write puts content instead of the file at path, durably, with the mode perm
// whatever the umask. The temporary file beside it begins with a dot; where Write
// fails it is removed.
func Write(path string, content []byte, perm fs.FileMode) (err error) {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary.Name()) // one that stays is in nobody's way
		}
	}()
	_, err = temporary.Write(content)
	if err == nil && perm != 0o600 {
		err = temporary.Chmod(perm)
	}
	if err == nil {
		err = temporary.Sync()
	}
	if err := errors.Join(err, temporary.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
