package lister

import (
	"context"
	"sync"

	"github.com/rclone/rclone/fs"
	"golang.org/x/sync/errgroup"
)

// Lister lists the directories of one remote. It is safe for concurrent use.
type Lister struct {
	fs    fs.Fs
	turns turns
}

// New returns the Lister of a remote.
func New(f fs.Fs) *Lister { return &Lister{fs: f} }

// listers is how many directories are listed at once.
const listers = 8

// Tree lists dir and what is below it, as one list where the backend can.
func (l *Lister) Tree(ctx context.Context, dir string, fn fs.ListRCallback) error {
	if listTree := l.fs.Features().ListR; listTree != nil {
		return listTree(ctx, dir, fn)
	}
	for level := []string{dir}; len(level) > 0; {
		var err error
		if level, err = l.level(ctx, level, fn); err != nil {
			return err
		}
	}
	return nil
}

// level lists several directories at once, and returns those in them.
func (l *Lister) level(ctx context.Context, dirs []string, fn fs.ListRCallback) (next []string, err error) {
	var mu sync.Mutex
	note := func(d fs.Directory) { next = append(next, d.Remote()) }
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(listers)
	for _, dir := range dirs {
		group.Go(func() error {
			return l.inTurn(ctx, dir, func(entries fs.DirEntries) error {
				mu.Lock()
				entries.ForDir(note)
				mu.Unlock()
				return fn(entries)
			})
		})
	}
	err = group.Wait()
	return next, err
}

// Dir lists one directory, page by page where the backend can.
func (l *Lister) Dir(ctx context.Context, dir string, fn fs.ListRCallback) error {
	if listPages := l.fs.Features().ListP; listPages != nil {
		return listPages(ctx, dir, fn)
	}
	entries, err := l.fs.List(ctx, dir)
	if err != nil {
		return err
	}
	return fn(entries)
}
