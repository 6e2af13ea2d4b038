package storage

import (
	"context"
	"errors"
	"io/fs"
)

// BulkRemover is implemented by a Store that removes many objects in one request.
type BulkRemover interface {
	// Bulk returns how many objects that may be now; one where it cannot.
	Bulk() int

	// RemoveAll removes objects durably, in any order. One that is absent counts as
	// removed. After an error some are removed and some are not.
	RemoveAll(ctx context.Context, names []string) error
}

// Bulk is that of the store, or else one.
func Bulk(s Store) int {
	if b, ok := s.(BulkRemover); ok {
		return max(1, b.Bulk())
	}
	return 1
}

// RemoveAll is that of the store, or else removes one object after the other.
func RemoveAll(ctx context.Context, s Store, names []string) error {
	if b, ok := s.(BulkRemover); ok && len(names) > 1 {
		return b.RemoveAll(ctx, names)
	}
	for _, name := range names {
		if err := s.Remove(ctx, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
