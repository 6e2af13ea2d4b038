package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Folder is a store in a directory of another store.
type Folder struct {
	Store storage.Store
	Dir   string
}

var _ storage.Tree = (*Folder)(nil)

// Name returns an object's name in the underlying store. Invalid names stay unchanged, for
// that store to refuse.
func (f *Folder) Name(name string) string {
	if !fs.ValidPath(name) {
		return name
	}
	return path.Join(f.Dir, name)
}

// Stat implements [storage.Store].
func (f *Folder) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return f.Store.Stat(ctx, f.Name(name))
}

// Open implements [storage.Store].
func (f *Folder) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	return f.Store.Open(ctx, f.Name(name), off, n)
}

// Put implements [storage.Store].
func (f *Folder) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	return f.Store.Put(ctx, f.Name(name), size, body)
}

// Remove implements [storage.Store].
func (f *Folder) Remove(ctx context.Context, name string) error {
	return f.Store.Remove(ctx, f.Name(name))
}

// List implements [storage.Store].
func (f *Folder) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	return f.Store.List(ctx, f.Name(dir), fn)
}

// tree returns the directories of the underlying store.
func (f *Folder) tree() (storage.Tree, error) {
	if tree, ok := f.Store.(storage.Tree); ok {
		return tree, nil
	}
	return nil, fmt.Errorf("the storage shows no directories: %w", errors.ErrUnsupported)
}

// ReadDir implements [storage.Tree].
func (f *Folder) ReadDir(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	tree, err := f.tree()
	if err != nil {
		return err
	}
	return tree.ReadDir(ctx, f.Name(dir), fn)
}

// Mkdir implements [storage.Tree].
func (f *Folder) Mkdir(ctx context.Context, dir string) error {
	tree, err := f.tree()
	if err != nil {
		return err
	}
	return tree.Mkdir(ctx, f.Name(dir))
}

// Rmdir implements [storage.Tree].
func (f *Folder) Rmdir(ctx context.Context, dir string) error {
	tree, err := f.tree()
	if err != nil {
		return err
	}
	return tree.Rmdir(ctx, f.Name(dir))
}

// Rename implements [storage.Tree].
func (f *Folder) Rename(ctx context.Context, from, to string) error {
	tree, err := f.tree()
	if err != nil {
		return err
	}
	return tree.Rename(ctx, f.Name(from), f.Name(to))
}

// HasDirectories implements [storage.Tree].
func (f *Folder) HasDirectories() bool {
	tree, err := f.tree()
	return err == nil && tree.HasDirectories()
}
