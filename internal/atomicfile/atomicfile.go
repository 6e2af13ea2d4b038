// Package atomicfile replaces files atomically: a reader, even after a crash, finds either
// the old or the new content.
package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Write replaces the content of the file at path, durably, and sets the mode perm
// regardless of the umask. The temporary file beside it begins with a dot, and is removed
// if Write fails.
func Write(path string, content []byte, perm fs.FileMode) error {
	p, err := Prepare(path, content, perm)
	if err != nil {
		return err
	}
	return p.Commit()
}

// Pending is a durable temporary file beside its final place.
type Pending struct{ temporary, path string }

// Prepare performs Write without its last step. Call Commit or Drop afterwards.
func Prepare(path string, content []byte, perm fs.FileMode) (*Pending, error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*") // of mode 0600
	if err != nil {
		return nil, err
	}
	p := &Pending{file.Name(), path}
	_, err = file.Write(content)
	if err == nil && perm != 0o600 {
		err = file.Chmod(perm)
	}
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		p.Drop()
		return nil, err
	}
	return p, nil
}

// Name returns the name of the temporary file.
func (p *Pending) Name() string { return p.temporary }

// Commit moves the file into place. If that fails, it removes the temporary file.
func (p *Pending) Commit() error {
	if err := os.Rename(p.temporary, p.path); err != nil {
		p.Drop()
		return err
	}
	return syncDir(filepath.Dir(p.path))
}

// Drop removes the temporary file. If that fails, the file does no harm.
func (p *Pending) Drop() { _ = os.Remove(p.temporary) }

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
