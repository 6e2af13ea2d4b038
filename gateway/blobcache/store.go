package blobcache

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/sizes"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Store is a [sizes.Store] that reads small objects from the cache if they are known to
// exist.
type Store struct {
	*sizes.Store

	cache *Cache
}

var (
	_ sizes.Backend    = (*Store)(nil)
	_ storage.Recaller = (*Store)(nil)
)

// Around wraps a store.
func (c *Cache) Around(s *sizes.Store) *Store { return &Store{s, c} }

// kindOf returns the digest of an object that can be cached.
func kindOf(name string) (d digest, ok bool) {
	dir, last := path.Split(name)
	switch path.Base(dir) {
	case "index", "snapshots", "keys":
		if strings.Count(name, "/") == 3 {
			return parse(last)
		}
	}
	return d, false
}

// Open implements [storage.Store].
func (s *Store) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	d, ok := kindOf(name)
	if !ok {
		return s.Store.Open(ctx, name, off, n)
	}
	if info, known, err := s.Recall(name); known && err == nil {
		if f, ok := s.cache.open(d, info.Size()); ok {
			return section(f, name, info.Size(), off, n)
		}
	}
	body, size, err := s.Store.Open(ctx, name, off, n)
	if err == nil && off == 0 && (n < 0 || n >= size) {
		body = s.cache.fill(d, size, body)
	}
	return body, size, err
}

// section returns a range of a cached object.
func section(f *os.File, name string, size, off, n int64) (io.ReadCloser, int64, error) {
	var err error
	switch {
	case off < 0:
		err = fmt.Errorf("open %s at %d: %w", name, off, fs.ErrInvalid)
	case off > size || off == size && size > 0:
		err = fmt.Errorf("open %s: %w", name, storage.ErrRange)
	default:
		_, err = f.Seek(off, io.SeekStart)
	}
	if err != nil {
		_ = f.Close() // only read
		return nil, size, err
	}
	if n == 0 || size == 0 {
		_ = f.Close() // only read
		return http.NoBody, size, nil
	}
	if n < 0 || n >= size-off {
		return f, size, nil
	}
	return &part{io.LimitReader(f, n), f}, size, nil
}

// part is a range of a file.
type part struct {
	io.Reader
	io.Closer
}

// drop removes deleted objects from the cache.
func (s *Store) drop(names ...string) {
	for _, name := range names {
		if d, ok := kindOf(name); ok {
			s.cache.drop(d)
		}
	}
}

// Remove implements [storage.Store].
func (s *Store) Remove(ctx context.Context, name string) error {
	defer s.drop(name)
	return s.Store.Remove(ctx, name)
}

// RemoveAll implements [storage.BulkRemover].
func (s *Store) RemoveAll(ctx context.Context, names []string) error {
	defer s.drop(names...)
	return s.Store.RemoveAll(ctx, names)
}

// RemoveCopied implements [storage.Copier].
func (s *Store) RemoveCopied(ctx context.Context, name string) error {
	defer s.drop(name)
	return s.Store.RemoveCopied(ctx, name)
}

// Move implements [storage.Mover].
func (s *Store) Move(ctx context.Context, from string, to func(fs.FileInfo) string) error {
	defer s.drop(from)
	return s.Store.Move(ctx, from, to)
}
