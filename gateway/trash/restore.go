package trash

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Restore brings an entry back. It reports false where an object of that name is there
// already, or the entry is gone. What comes back keeps the time of its first receipt.
func (s *Store) Restore(ctx context.Context, e Entry) (restored bool, err error) {
	o := e.object()
	if e.marked {
		return true, s.liftMark(ctx, o)
	}
	switch _, err := s.store.Stat(ctx, o.path()); {
	case err == nil:
		return false, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	if !s.renames && !e.Received.IsZero() {
		if err := s.noteReceipt(ctx, o, e.Received); err != nil {
			return false, err
		}
	}
	err = s.moveTo(ctx, e.at, func(fs.FileInfo) string { return o.path() })
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("bring back %s: %w", o.path(), err)
	}
	s.held.less(Purged{Objects: 1, Bytes: e.Size})
	return true, nil
}

// RestoreAll brings entries back, packs first, so that nothing that is there ever
// points at what is not. Of several of one name the one deleted last comes back.
func (s *Store) RestoreAll(ctx context.Context, entries []Entry) (Purged, error) {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(order(b.Kind), order(a.Kind)), b.Deleted.Compare(a.Deleted))
	})
	var done Purged
	for _, e := range entries {
		restored, err := s.Restore(ctx, e)
		if err != nil {
			return done, err
		}
		if restored {
			done.Objects++
			done.Bytes += e.Size
		}
	}
	return done, nil
}
