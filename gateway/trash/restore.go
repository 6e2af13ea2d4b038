package trash

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// Restore brings an entry back. It reports false where an object of that name is there
// already, or the entry is gone. What comes back keeps the time of its first receipt.
func (s *Store) Restore(ctx context.Context, e ledger.Entry) (restored bool, err error) {
	return s.restore(ctx, e, nil)
}

// restore is Restore, with the marks of the repository where they are known.
func (s *Store) restore(ctx context.Context, e ledger.Entry, marks map[string][]string) (restored bool, err error) {
	o := e.Ref()
	s.returned.Add(1)
	defer s.returned.Add(1)
	if e.Marked {
		restored, err = s.liftMarks(ctx, o, marks)
		if restored {
			s.held.moved(e.Size)
			s.held.less(Purged{Objects: 1, Bytes: e.Size})
		}
		return restored, err
	}
	switch info, err := s.store.Stat(ctx, o.Path()); {
	case err == nil:
		return s.restoreOver(ctx, e, info)
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	if !s.renames && !e.Received.IsZero() {
		if err := s.ledger.NoteReceipt(ctx, o, e.Received); err != nil {
			return false, err
		}
	}
	err = s.moveTo(ctx, e.At, func(fs.FileInfo) string { return o.Path() })
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("bring back %s: %w", o.Path(), err)
	}
	s.held.less(Purged{Objects: 1, Bytes: e.Size})
	if len(marks[o.Name]) > 0 || s.ledger.Marks.Has(o) { // whoever moved it did not come to the end
		return s.liftMarks(ctx, o, marks)
	}
	return true, nil
}

// restoreOver brings an entry back where an object of that name is: only of a pack that
// lies under a mark is that possible, which has the same content.
func (s *Store) restoreOver(ctx context.Context, e ledger.Entry, there fs.FileInfo) (restored bool, err error) {
	if s.renames || e.Kind != ledger.Data {
		return false, nil
	}
	hidden, err := s.ledger.ReadMarks(ctx, e.Repo)
	if err != nil {
		return false, err
	}
	if at, marked := hidden[e.Name]; !marked || there.ModTime().After(at) {
		return false, nil
	}
	if err := s.ledger.NoteReceipt(ctx, e.Ref(), e.Received); err != nil {
		return false, err
	}
	if restored, err = s.liftMarks(ctx, e.Ref(), nil); err != nil || !restored {
		return restored, err
	}
	return true, s.ledger.Remove(ctx, e.At)
}

// RestoreAll brings entries back, packs first, so that nothing that is there ever
// points at what is not. Of several of one name the one deleted last comes back.
func (s *Store) RestoreAll(ctx context.Context, entries []ledger.Entry) (Purged, error) {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b ledger.Entry) int {
		return cmp.Or(cmp.Compare(ledger.Order(b.Kind), ledger.Order(a.Kind)), b.Deleted.Compare(a.Deleted))
	})
	var done Purged
	marks := make(map[string]map[string][]string) // by repository
	for _, e := range entries {
		if e.Marked && marks[e.Repo] == nil {
			var err error
			if marks[e.Repo], err = s.ledger.MarksOf(ctx, e.Repo); err != nil {
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

// liftMarks removes all marks of a pack, which are listed unless they are known. The pack
// may not be there afterwards, where another gateway has been moving it into the trash:
// then it is brought back from there. It reports whether the pack is there.
func (s *Store) liftMarks(ctx context.Context, o ledger.Ref, known map[string][]string) (there bool, err error) {
	if err := s.ledger.Unmark(ctx, o, known); err != nil {
		return false, err
	}
	_, err = s.store.Stat(ctx, o.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return s.returnSettled(ctx, o)
	}
	return err == nil, err
}
