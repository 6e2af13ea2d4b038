package guard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Every layer passes directories on, under the same rules as objects.
var (
	_ storage.Tree = (*noted)(nil)
	_ storage.Tree = (*resilient)(nil)
	_ storage.Tree = (*limited)(nil)
	_ storage.Tree = (*quotas)(nil)
)

// treeOf returns the directories of a store. Without support, all methods fail.
func treeOf(s storage.Store) storage.Tree {
	if tree, ok := s.(storage.Tree); ok {
		return tree
	}
	return treeless{}
}

// treeless refuses all operations on directories.
type treeless struct{}

var errTreeless = fmt.Errorf("the storage shows no directories: %w", errors.ErrUnsupported)

func (treeless) ReadDir(context.Context, string, func(fs.FileInfo) error) error { return errTreeless }
func (treeless) Mkdir(context.Context, string) error                            { return errTreeless }
func (treeless) Rmdir(context.Context, string) error                            { return errTreeless }
func (treeless) Rename(context.Context, string, string) error                   { return errTreeless }
func (treeless) HasDirectories() bool                                           { return false }

// ReadDir implements [storage.Tree]. An error of fn says nothing of the storage.
func (s *noted) ReadDir(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	return s.listing(ctx, fn, func(fn func(fs.FileInfo) error) error { return treeOf(s.store).ReadDir(ctx, dir, fn) })
}

// Mkdir implements [storage.Tree].
func (s *noted) Mkdir(ctx context.Context, dir string) error {
	err := treeOf(s.store).Mkdir(ctx, dir)
	s.health.note(ctx, err)
	return err
}

// Rmdir implements [storage.Tree].
func (s *noted) Rmdir(ctx context.Context, dir string) error {
	err := treeOf(s.store).Rmdir(ctx, dir)
	s.health.note(ctx, err)
	return err
}

// Rename implements [storage.Tree].
func (s *noted) Rename(ctx context.Context, from, to string) error {
	err := treeOf(s.store).Rename(ctx, from, to)
	s.health.note(ctx, err)
	return err
}

// HasDirectories implements [storage.Tree].
func (s *noted) HasDirectories() bool { return treeOf(s.store).HasDirectories() }

// ReadDir implements [storage.Tree].
func (r *resilient) ReadDir(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	return r.listing(ctx, fn, func(ctx context.Context, fn func(fs.FileInfo) error) error {
		return treeOf(r.store).ReadDir(ctx, dir, fn)
	})
}

// Mkdir implements [storage.Tree].
func (r *resilient) Mkdir(ctx context.Context, dir string) error {
	return r.change(ctx, func(ctx context.Context) error { return treeOf(r.store).Mkdir(ctx, dir) })
}

// Rmdir implements [storage.Tree].
func (r *resilient) Rmdir(ctx context.Context, dir string) error {
	return r.change(ctx, func(ctx context.Context) error { return treeOf(r.store).Rmdir(ctx, dir) })
}

// Rename implements [storage.Tree]. If the storage has to copy the object, the time grows
// with its size, and only the client bounds it.
func (r *resilient) Rename(ctx context.Context, from, to string) error {
	return r.do(ctx, func(ctx context.Context) (bool, error) {
		return false, treeOf(r.store).Rename(ctx, from, to)
	})
}

// change makes one attempt. If it succeeded and only the answer was lost, a second one
// would return a wrong result.
func (r *resilient) change(ctx context.Context, attempt func(context.Context) error) error {
	return r.do(ctx, func(ctx context.Context) (bool, error) {
		release, err := promptly(ctx, attempt)
		release()
		return false, err
	})
}

// HasDirectories implements [storage.Tree].
func (r *resilient) HasDirectories() bool { return treeOf(r.store).HasDirectories() }

// ReadDir implements [storage.Tree].
func (l *limited) ReadDir(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	return l.inTurn(ctx, func() error { return treeOf(l.store).ReadDir(ctx, dir, fn) })
}

// Mkdir implements [storage.Tree].
func (l *limited) Mkdir(ctx context.Context, dir string) error {
	return l.inTurn(ctx, func() error { return treeOf(l.store).Mkdir(ctx, dir) })
}

// Rmdir implements [storage.Tree].
func (l *limited) Rmdir(ctx context.Context, dir string) error {
	return l.inTurn(ctx, func() error { return treeOf(l.store).Rmdir(ctx, dir) })
}

// Rename implements [storage.Tree].
func (l *limited) Rename(ctx context.Context, from, to string) error {
	return l.inTurn(ctx, func() error { return treeOf(l.store).Rename(ctx, from, to) })
}

// inTurn performs an operation when there is a slot for it.
func (l *limited) inTurn(ctx context.Context, do func() error) error {
	release, err := l.limits.slots.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	return do()
}

// HasDirectories implements [storage.Tree].
func (l *limited) HasDirectories() bool { return treeOf(l.store).HasDirectories() }

// ReadDir implements [storage.Tree].
func (q *quotas) ReadDir(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	return treeOf(q.Store).ReadDir(ctx, dir, fn)
}

// Mkdir implements [storage.Tree].
func (q *quotas) Mkdir(ctx context.Context, dir string) error { return treeOf(q.Store).Mkdir(ctx, dir) }

// Rmdir implements [storage.Tree].
func (q *quotas) Rmdir(ctx context.Context, dir string) error { return treeOf(q.Store).Rmdir(ctx, dir) }

// Rename implements [storage.Tree]. The size of the destination does not grow, and shrinks
// if an object is replaced; sizes of modules can change either way.
func (q *quotas) Rename(ctx context.Context, from, to string) error {
	err := treeOf(q.Store).Rename(ctx, from, to)
	if err == nil {
		for _, claim := range append(q.claims(from, 0), q.claims(to, 0)...) {
			q.usage.removed(claim.tally)
		}
	}
	return err
}

// HasDirectories implements [storage.Tree].
func (q *quotas) HasDirectories() bool { return treeOf(q.Store).HasDirectories() }
