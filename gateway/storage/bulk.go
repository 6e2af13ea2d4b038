package storage

import (
	"context"
	"errors"
	"io/fs"
)

// BulkRemover is implemented by a Store that removes many objects in one request.
type BulkRemover interface {
	// Bulk returns how many objects RemoveAll can now remove in one request; one if only
	// one by one.
	Bulk() int

	// RemoveAll removes objects durably, in any order. An absent one counts as removed.
	// After an error, some may have been removed.
	RemoveAll(ctx context.Context, names []string) error
}

// Bulk returns the store's Bulk, or one.
func Bulk(s Store) int {
	if b, ok := s.(BulkRemover); ok {
		return max(1, b.Bulk())
	}
	return 1
}

// RemoveAll uses the store's RemoveAll, or removes the objects one by one.
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
