package dav

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// Roots is a store with a directory for each name, which can only be listed.
type Roots []string

var _ Store = Roots(nil)

// ReadDir implements [storage.Tree].
func (r Roots) ReadDir(_ context.Context, dir string, fn func(fs.FileInfo) error) error {
	if !isRoot(dir) {
		return fmt.Errorf("list %s: %w", dir, fs.ErrNotExist)
	}
	if err := fn(dirInfo{time.Time{}, "."}); err != nil {
		return err
	}
	for _, name := range r {
		if err := fn(dirInfo{time.Time{}, name}); err != nil {
			return err
		}
	}
	return nil
}

// Stat implements [storage.Store].
func (Roots) Stat(_ context.Context, name string) (fs.FileInfo, error) {
	return nil, fmt.Errorf("stat %s: %w", name, fs.ErrNotExist)
}

// Open implements [storage.Store].
func (Roots) Open(_ context.Context, name string, _, _ int64) (io.ReadCloser, int64, error) {
	return nil, 0, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
}

// Put implements [storage.Store].
func (Roots) Put(context.Context, string, int64, io.Reader) error { return refusal.ErrForbidden }

// Remove implements [storage.Store].
func (Roots) Remove(context.Context, string) error { return refusal.ErrForbidden }

// List implements [storage.Store].
func (Roots) List(_ context.Context, dir string, _ func(fs.FileInfo) error) error {
	return fmt.Errorf("list %s: %w", dir, fs.ErrNotExist)
}

// Mkdir implements [storage.Tree].
func (Roots) Mkdir(context.Context, string) error { return refusal.ErrForbidden }

// Rmdir implements [storage.Tree].
func (Roots) Rmdir(context.Context, string) error { return refusal.ErrForbidden }

// Rename implements [storage.Tree].
func (Roots) Rename(context.Context, string, string) error { return refusal.ErrForbidden }

// HasDirectories implements [storage.Tree].
func (Roots) HasDirectories() bool { return true }
