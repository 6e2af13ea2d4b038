//go:build unix

package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
)

// Prune removes dir and the directories below it that contain no file.
func (s *Store) Prune(_ context.Context, dir string) error {
	root, err := os.OpenRoot(s.root)
	if err != nil {
		return err
	}
	defer root.Close()
	var dirs []string
	err = fs.WalkDir(root.FS(), dir, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, name)
		}
		return err
	})
	for _, name := range slices.Backward(dirs) {
		err = errors.Join(err, root.Remove(name))
		s.durable.Delete(name)
	}
	return err
}
