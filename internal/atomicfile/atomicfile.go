// Package atomicfile replaces files so that a reader, and a crash, finds the old
// content or the new one, whole.
package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Write replaces the content of the file at path, durably, and gives it the mode perm
// whatever the umask. The temporary file beside it begins with a dot; where Write
// fails it is removed.
func Write(path string, content []byte, perm fs.FileMode) error {
	p, err := Prepare(path, content, perm)
	if err != nil {
		return err
	}
	return p.Commit()
}

// Pending is a file that was written beside its place, and is durable there.
type Pending struct{ temporary, path string }

// Prepare does all of Write but the last step, which is Commit; or else Drop.
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

// Name is the temporary file's.
func (p *Pending) Name() string { return p.temporary }

// Commit puts the file in its place. Where that fails the temporary file is removed.
func (p *Pending) Commit() error {
	if err := os.Rename(p.temporary, p.path); err != nil {
		p.Drop()
		return err
	}
	return syncDir(filepath.Dir(p.path))
}

// Drop removes the temporary file; one that stays is in nobody's way.
func (p *Pending) Drop() { _ = os.Remove(p.temporary) }

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
