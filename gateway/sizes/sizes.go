// Package sizes remembers the sizes of immutable objects from lists, uploads and reads, so
// that asking for them costs no request.
//
// It remembers data, index, snapshots and keys of repositories that this process saw, for
// [MaxAge]. So if another process deletes an object, it may still appear to exist for that
// time. Deletions by this process take effect at once. The config, whose presence proves
// that the storage is there, and locks are never remembered; keys and times of objects only
// from lists. A snapshot is remembered only with its time. Whether a node saved a snapshot
// never changes, so both answers are remembered.
// saved a snapshot does not change once that is there: that is known as well, both ways.
package sizes

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// MaxAge is how long something is remembered.
const MaxAge = time.Minute

// Backend is a store that can be wrapped: with everything that the trash uses.
type Backend interface {
	storage.Store
	storage.Creator
	storage.Preserver
	storage.Mover
	storage.Copier
	storage.Tree
	storage.BulkRemover
	storage.Spacer
}

// Store is a Backend that implements [storage.Recaller].
type Store struct {
	Backend

	known *table
}

var (
	_ Backend          = (*Store)(nil)
	_ storage.Recaller = (*Store)(nil)
)

// New wraps a store.
func New(backend Backend) *Store { return &Store{Backend: backend, known: newTable()} }

// Recall implements [storage.Recaller].
func (s *Store) Recall(name string) (info fs.FileInfo, known bool, err error) {
	where, ok := parse(name)
	if !ok {
		return nil, false, nil
	}
	if info, known = s.known.get(where); known && info == nil {
		return nil, true, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return info, known, nil
}

// List implements [storage.Store].
func (s *Store) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	repo, kind, ok := parseDir(dir)
	if !ok {
		return s.Backend.List(ctx, dir, fn)
	}
	since := s.known.now()
	return s.Backend.List(ctx, dir, func(info fs.FileInfo) error {
		if digest, ok := parseDigest(info.Name()); ok {
			s.known.learn(since, place{repo, kind, digest}, info.Size(), info.ModTime())
		}
		return fn(info)
	})
}

// Open implements [storage.Store].
func (s *Store) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	where, ok := parse(name)
	if !ok {
		return s.Backend.Open(ctx, name, off, n)
	}
	since := s.known.now()
	body, size, err := s.Backend.Open(ctx, name, off, n)
	switch {
	case err == nil:
		s.known.learn(since, where, size, time.Time{})
	case errors.Is(err, fs.ErrNotExist):
		s.known.forget(where)
	}
	return body, size, err
}

// Stat implements [storage.Store]. It always asks the storage.
func (s *Store) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	where, ok := parse(name)
	if !ok {
		return s.Backend.Stat(ctx, name)
	}
	snapshot := where
	snapshot.kind = kindSnapshots
	fixed := where.kind == kindReceipts && s.known.has(snapshot)
	since := s.known.now()
	info, err := s.Backend.Stat(ctx, name)
	switch {
	case err == nil:
		s.known.learn(since, where, info.Size(), info.ModTime())
	case fixed && errors.Is(err, fs.ErrNotExist):
		s.known.learn(since, where, absent, time.Time{})
	case errors.Is(err, fs.ErrNotExist):
		s.known.forget(where)
	}
	return info, err
}

// Put implements [storage.Store].
func (s *Store) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	return s.put(name, size, func() error { return s.Backend.Put(ctx, name, size, body) })
}

// PutNew implements [storage.Preserver].
func (s *Store) PutNew(ctx context.Context, name string, size int64, body io.Reader) (stayed bool, err error) {
	err = s.put(name, size, func() (err error) {
		stayed, err = s.Backend.PutNew(ctx, name, size, body)
		return err
	})
	return stayed, err
}

func (s *Store) put(name string, size int64, upload func() error) error {
	where, ok := parse(name)
	if !ok {
		return upload()
	}
	since := s.known.now()
	err := upload()
	if err != nil {
		s.known.forget(where) // the present content is unknown
		return err
	}
	s.known.learn(since, where, size, time.Time{})
	return nil
}

// Remove implements [storage.Store].
func (s *Store) Remove(ctx context.Context, name string) error {
	defer s.taking(name)()
	return s.Backend.Remove(ctx, name)
}

// RemoveAll implements [storage.BulkRemover].
func (s *Store) RemoveAll(ctx context.Context, names []string) error {
	defer s.taking(names...)()
	return s.Backend.RemoveAll(ctx, names)
}

// RemoveCopied implements [storage.Copier].
func (s *Store) RemoveCopied(ctx context.Context, name string) error {
	defer s.taking(name)()
	return s.Backend.RemoveCopied(ctx, name)
}

// Move implements [storage.Mover].
func (s *Store) Move(ctx context.Context, from string, to func(fs.FileInfo) string) error {
	defer s.taking(from)()
	return s.Backend.Move(ctx, from, to)
}

// taking forgets objects that are about to be deleted. The function that it returns must be
// called afterwards; what other calls learn meanwhile is not trusted.
func (s *Store) taking(names ...string) (taken func()) {
	var places []place
	for _, name := range names {
		if where, ok := parse(name); ok {
			places = append(places, where)
		}
	}
	if len(places) == 0 {
		return func() {}
	}
	s.known.begin(places)
	return func() { s.known.end(places) }
}

// Rename implements [storage.Tree]. For a directory, everything below it is forgotten.
func (s *Store) Rename(ctx context.Context, from, to string) error {
	defer s.emptying()()
	return s.Backend.Rename(ctx, from, to)
}

// Rmdir implements [storage.Tree].
func (s *Store) Rmdir(ctx context.Context, dir string) error {
	defer s.emptying()()
	return s.Backend.Rmdir(ctx, dir)
}

func (s *Store) emptying() (done func()) {
	s.known.begin(nil)
	s.known.clear()
	return func() { s.known.end(nil) }
}
