package remote

import (
	"context"
	"errors"
	iofs "io/fs"
	"path"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

var _ storage.BulkRemover = (*Store)(nil)

// Bulk implements [storage.BulkRemover].
func (s *Store) Bulk() int { return s.bulk.Most() }

// RemoveAll implements [storage.BulkRemover]. What the storage does not remove in one
// request is removed one by one, which says why.
func (s *Store) RemoveAll(ctx context.Context, names []string) error {
	for len(names) > 0 {
		some := names[:min(len(names), s.Bulk())]
		names = names[len(some):]
		left, err := s.removeSome(ctx, some)
		if err != nil {
			return err
		}
		for _, name := range left {
			if err := s.Remove(ctx, name); err != nil && !errors.Is(err, iofs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// removeSome removes as many objects as one request takes, and returns those that it did not.
func (s *Store) removeSome(ctx context.Context, names []string) (left []string, err error) {
	if len(names) == 1 {
		return names, nil
	}
	ctx, err = s.begin(ctx, "remove", names[0])
	if err != nil {
		return nil, err
	}
	if left, err = s.bulk.Remove(ctx, names); err != nil {
		return nil, s.failed(ctx, "remove", path.Dir(names[0]), err)
	}
	return left, nil
}
