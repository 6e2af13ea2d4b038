package trash

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// Purged is what a purge did.
type Purged struct {
	Objects, Bytes int64
}

// Purge removes for good what has expired, and counts what the trash holds. It goes
// repository by repository, and in each by the order of Kinds.
func (s *Store) Purge(ctx context.Context) (Purged, error) {
	now := s.opts.Clock.Now()
	done, err := s.sweep(ctx, "", func(e *ledger.Entry) bool { return !now.IsZero() && !e.Expires.After(now) })
	if err != nil {
		return done, err
	}
	return done, s.settleAll(ctx)
}

// Count counts what the trash holds.
func (s *Store) Count(ctx context.Context) error {
	_, err := s.sweep(ctx, "", func(*ledger.Entry) bool { return false })
	return err
}

// Empty removes for good, before it expires, what chosen says of a repository, or of
// all where repo is empty.
func (s *Store) Empty(ctx context.Context, repo string, chosen func(*ledger.Entry) bool) (Purged, error) {
	return s.sweep(ctx, repo, chosen)
}

// pace is called before each object is purged, or each batch of them.
type pace func(context.Context) error

// sweep purges what chosen says and counts the rest.
func (s *Store) sweep(ctx context.Context, only string, chosen func(*ledger.Entry) bool) (Purged, error) {
	return s.sweepPaced(ctx, only, chosen, s.opts.Pace)
}

func (s *Store) sweepPaced(ctx context.Context, only string, chosen func(*ledger.Entry) bool, wait pace) (Purged, error) {
	var done Purged
	s.held.begin()
	repos := []string{only}
	if only == "" {
		var err error
		if repos, err = s.ledger.Repos(ctx); err != nil {
			return done, err
		}
	}
	var left Held
	var next time.Time
	for _, repo := range repos {
		entries, err := s.ledger.Entries(ctx, repo)
		if err != nil {
			return done, err
		}
		purged, err := s.purgeFrom(ctx, repo, entries, chosen, wait)
		done.Objects += purged.Objects
		done.Bytes += purged.Bytes
		if err != nil {
			return done, err
		}
		for i := range entries {
			e := &entries[i]
			if chosen(e) {
				continue
			}
			left.Objects++
			left.Bytes += e.Size
			if e.Marked {
				left.InPlace += e.Size
			}
			if next.IsZero() || e.Expires.Before(next) {
				next = e.Expires
			}
		}
		if err := s.dropStaleMarks(ctx, repo, entries); err != nil {
			return done, err
		}
	}
	if only == "" {
		s.held.counted(left, next)
	} else {
		s.held.less(done)
	}
	return done, nil
}

// purgeFrom removes the chosen entries of one repository, which it notes first.
func (s *Store) purgeFrom(ctx context.Context, repo string, entries []ledger.Entry, chosen func(*ledger.Entry) bool, wait pace) (Purged, error) {
	var done Purged
	var going []ledger.Entry
	var newest time.Time
	for i := range entries {
		if e := &entries[i]; chosen(e) {
			going = append(going, *e)
			if e.Deleted.After(newest) {
				newest = e.Deleted
			}
		}
	}
	if len(going) == 0 {
		return done, nil
	}
	if err := s.ledger.RaiseHorizon(ctx, repo, newest); err != nil {
		return done, err
	}
	if err := s.ledger.Unsee(ctx, repo, going); err != nil {
		return done, err
	}
	n, err := s.ledger.ReadReceipts(ctx, repo)
	if err != nil {
		return done, err
	}
	for _, batch := range s.batches(going) {
		if wait != nil {
			if err := wait(ctx); err != nil {
				return done, err
			}
		}
		if err := s.purgeBatch(ctx, batch, n); err != nil {
			return done, err
		}
		for i := range batch {
			done.Objects++
			done.Bytes += batch[i].Size
		}
	}
	return done, nil
}

// purge removes one entry for good, and what is noted of it.
func (s *Store) purge(ctx context.Context, e *ledger.Entry, n ledger.Notes) error {
	switch {
	case e.Marked:
		if err := s.purgeMarked(ctx, e, n); err != nil {
			return err
		}
	case e.Kind == ledger.Snapshots:
		if err := s.dropNodeReceipt(ctx, e.Ref()); err != nil {
			return err
		}
	case e.Kind == ledger.Data:
		if err := s.dropPackReceipt(ctx, e.Ref(), n); err != nil {
			return err
		}
	}
	return s.ledger.Remove(ctx, e.At)
}

// dropPackReceipt removes what is noted of a pack that goes for good, unless it is there
// again.
func (s *Store) dropPackReceipt(ctx context.Context, o ledger.Ref, n ledger.Notes) error {
	if _, noted := n.Receipts[o.Key()]; !noted {
		return nil
	}
	_, err := s.store.Stat(ctx, o.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return s.ledger.ForgetReceipt(ctx, o, n)
	}
	return err
}

// purgeMarked removes a pack that lies under a mark, unless it was uploaded again or
// brought back since it was listed, by another gateway too: one that is uploaded again may
// keep its time, and only its mark is gone then. It goes before its mark, without which it
// would be there again.
func (s *Store) purgeMarked(ctx context.Context, e *ledger.Entry, n ledger.Notes) error {
	o := e.Ref()
	unlock, err := s.packs.Lock(ctx, o.Path())
	if err != nil {
		return err
	}
	defer unlock()
	info, err := s.store.Stat(ctx, o.Path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.ModTime().After(e.Changed), !s.ledger.Marks.Hides(o):
		return nil
	}
	switch _, err := s.store.Stat(ctx, e.At); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	if err := s.ledger.Remove(ctx, o.Path()); err != nil {
		return err
	}
	return s.ledger.ForgetReceipt(ctx, o, n)
}

// dropNodeReceipt removes the record that a node saved a snapshot, which goes for good,
// unless it is there again.
func (s *Store) dropNodeReceipt(ctx context.Context, o ledger.Ref) error {
	_, err := s.store.Stat(ctx, o.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return s.ledger.Remove(ctx, storage.NodeReceipt(o.Repo, o.Name))
	}
	return err
}

// removeForGood removes an object where nothing is kept.
func (s *Store) removeForGood(ctx context.Context, o ledger.Ref) error {
	if err := s.store.Remove(ctx, o.Path()); err != nil || o.Kind != ledger.Snapshots {
		return err
	}
	return s.ledger.Remove(ctx, storage.NodeReceipt(o.Repo, o.Name))
}

// dropStaleMarks removes marks that hide nothing any more, once they have expired: their
// packs are gone, or were uploaded again, or have a later mark.
func (s *Store) dropStaleMarks(ctx context.Context, repo string, hiding []ledger.Entry) error {
	now := s.opts.Clock.Now()
	used := make(map[string]bool)
	for _, e := range hiding {
		if e.Marked {
			used[e.At] = true
		}
	}
	var stale []string
	err := s.ledger.EachMark(ctx, repo, func(e ledger.Entry) error {
		if !used[e.At] && !now.IsZero() && !e.Expires.After(now) {
			stale = append(stale, e.At)
		}
		return nil
	})
	return errors.Join(err, storage.RemoveAll(ctx, s.store, stale))
}
