package trash

import (
	"context"
	"io/fs"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// tree returns the directories of the store.
func (s *Store) tree() (storage.Tree, error) {
	if tree, ok := s.store.(storage.Tree); ok {
		return tree, nil
	}
	return nil, ledger.ErrTreeless
}

// ReadDir implements [storage.Tree].
func (s *Store) ReadDir(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	if isOurs(dir) {
		return &fs.PathError{Op: "read", Path: dir, Err: fs.ErrNotExist}
	}
	tree, err := s.tree()
	if err != nil {
		return err
	}
	show := fn
	if dir == "." {
		show = func(info fs.FileInfo) error {
			if info.Name() == ledger.Dir {
				return nil
			}
			return fn(info)
		}
	}
	repo, below, ok := repoOf(dir)
	if ok && !s.renames && below == ledger.Snapshots {
		return s.ledger.ListSnapshots(ctx, repo, tree.ReadDir, fn)
	}
	if s.renames || !ok || len(below) != len("data/00") || !strings.HasPrefix(below, ledger.Data+"/") {
		return tree.ReadDir(ctx, dir, show)
	}
	hidden, err := s.ledger.ReadMarks(ctx, repo)
	if err != nil {
		return err
	}
	return tree.ReadDir(ctx, dir, unmarked(hidden, fn))
}

// Mkdir implements [storage.Tree].
func (s *Store) Mkdir(ctx context.Context, dir string) error {
	if isOurs(dir) {
		return refuse("mkdir", dir)
	}
	tree, err := s.tree()
	if err != nil {
		return err
	}
	return tree.Mkdir(ctx, dir)
}

// Rmdir implements [storage.Tree].
func (s *Store) Rmdir(ctx context.Context, dir string) error {
	if isOurs(dir) {
		return refuse("rmdir", dir)
	}
	tree, err := s.tree()
	if err != nil {
		return err
	}
	return tree.Rmdir(ctx, dir)
}

// Rename implements [storage.Tree].
func (s *Store) Rename(ctx context.Context, from, to string) error {
	if isOurs(from) {
		return refuse("rename", from)
	}
	if isOurs(to) {
		return refuse("rename", to)
	}
	tree, err := s.tree()
	if err != nil {
		return err
	}
	return tree.Rename(ctx, from, to)
}

// HasDirectories implements [storage.Tree].
func (s *Store) HasDirectories() bool {
	tree, err := s.tree()
	return err == nil && tree.HasDirectories()
}
