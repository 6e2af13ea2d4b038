package trash

import (
	"io/fs"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// repoOf returns the repository that a directory is or lies in; what is above the
// repositories has none.
func repoOf(dir string) (repo, below string, ok bool) {
	parts := strings.SplitN(dir, "/", 3)
	if len(parts) < 2 {
		return "", "", false
	}
	if len(parts) == 3 {
		below = parts[2]
	}
	return parts[0] + "/" + parts[1], below, true
}

// isOurs reports whether a name is the trash or lies in it.
func isOurs(name string) bool {
	return name == ledger.Dir || strings.HasPrefix(name, ledger.Dir+"/")
}

func refuse(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
}

// hidden refuses names of the trash, and of packs that are known to be under a mark.
func (s *Store) hidden(op, name string) error {
	if isOurs(name) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	if s.renames || !s.ledger.Marks.Any() {
		return nil
	}
	if o, ok := ledger.ParseRef(name); ok && o.Kind == ledger.Data && s.ledger.Marks.Has(o) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return nil
}

// unmarked calls fn for what does not lie under one of the marks.
func unmarked(marks map[string]time.Time, fn func(fs.FileInfo) error) func(fs.FileInfo) error {
	return func(info fs.FileInfo) error {
		if at, marked := marks[info.Name()]; marked && !info.ModTime().After(at) {
			return nil
		}
		return fn(info)
	}
}
