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
	return s.restore(ctx, e, nil)
}

// restore is Restore, with the marks of the repository where they are known.
func (s *Store) restore(ctx context.Context, e Entry, marks map[string][]string) (restored bool, err error) {
	o := e.object()
	s.returned.Add(1)
	defer s.returned.Add(1)
	if e.marked {
		restored, err = s.liftMarks(ctx, o, marks)
		if restored {
			s.held.moved(e.Size)
			s.held.less(Purged{Objects: 1, Bytes: e.Size})
		}
		return restored, err
	}
	switch info, err := s.store.Stat(ctx, o.path()); {
	case err == nil:
		return s.restoreOver(ctx, e, info)
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
	if len(marks[o.name]) > 0 || s.marks.has(o) { // whoever moved it did not come to the end
		return s.liftMarks(ctx, o, marks)
	}
	return true, nil
}

// restoreOver brings an entry back where an object of that name is: only of a pack that
// lies under a mark is that possible, which has the same content.
func (s *Store) restoreOver(ctx context.Context, e Entry, there fs.FileInfo) (restored bool, err error) {
	if s.renames || e.Kind != Data {
		return false, nil
	}
	hidden, err := s.readMarks(ctx, e.Repo)
	if err != nil {
		return false, err
	}
	if at, marked := hidden[e.Name]; !marked || there.ModTime().After(at) {
		return false, nil
	}
	if err := s.noteReceipt(ctx, e.object(), e.Received); err != nil {
		return false, err
	}
	if restored, err = s.liftMarks(ctx, e.object(), nil); err != nil || !restored {
		return restored, err
	}
	return true, s.remove(ctx, e.at)
}

// RestoreAll brings entries back, packs first, so that nothing that is there ever
// points at what is not. Of several of one name the one deleted last comes back.
func (s *Store) RestoreAll(ctx context.Context, entries []Entry) (Purged, error) {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(order(b.Kind), order(a.Kind)), b.Deleted.Compare(a.Deleted))
	})
	var done Purged
	marks := make(map[string]map[string][]string) // by repository
	for _, e := range entries {
		if e.marked && marks[e.Repo] == nil {
			var err error
			if marks[e.Repo], err = s.marksOf(ctx, e.Repo); err != nil {
				return done, err
			}
		}
		restored, err := s.restore(ctx, e, marks[e.Repo])
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
