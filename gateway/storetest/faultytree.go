package storetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// The methods of [storage.Tree].
const (
	ReadDir Method = "ReadDir"
	Mkdir   Method = "Mkdir"
	Rmdir   Method = "Rmdir"
	Rename  Method = "Rename"
)

var _ storage.Tree = (*Faulty)(nil)

// ReadDir implements [storage.Tree].
func (f *Faulty) ReadDir(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	fault := f.next(ReadDir, dir)
	if err := fault.before(ctx); err != nil {
		return err
	}
	return f.onTree(func(tree storage.Tree) error {
		return fault.listing(fn, func(fn func(fs.FileInfo) error) error { return tree.ReadDir(ctx, dir, fn) })
	})
}

// Mkdir implements [storage.Tree].
func (f *Faulty) Mkdir(ctx context.Context, dir string) error {
	if err := f.next(Mkdir, dir).before(ctx); err != nil {
		return err
	}
	return f.onTree(func(tree storage.Tree) error { return tree.Mkdir(ctx, dir) })
}

// Rmdir implements [storage.Tree].
func (f *Faulty) Rmdir(ctx context.Context, dir string) error {
	if err := f.next(Rmdir, dir).before(ctx); err != nil {
		return err
	}
	return f.onTree(func(tree storage.Tree) error { return tree.Rmdir(ctx, dir) })
}

// Rename implements [storage.Tree]. Faults meet it by the name that it takes away.
func (f *Faulty) Rename(ctx context.Context, from, to string) error {
	if err := f.next(Rename, from).before(ctx); err != nil {
		return err
	}
	return f.onTree(func(tree storage.Tree) error { return tree.Rename(ctx, from, to) })
}

// HasDirectories implements [storage.Tree].
func (f *Faulty) HasDirectories() bool {
	tree, ok := f.store.(storage.Tree)
	return ok && tree.HasDirectories()
}

// onTree calls do with the tree beneath.
func (f *Faulty) onTree(do func(storage.Tree) error) error {
	tree, ok := f.store.(storage.Tree)
	if !ok {
		return fmt.Errorf("%w: the store beneath has no directories to see", errors.ErrUnsupported)
	}
	return do(tree)
}
