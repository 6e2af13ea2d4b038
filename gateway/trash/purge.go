package trash

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Purged is what a purge did.
type Purged struct {
	Objects, Bytes int64
}

// Purge removes for good what has expired, and counts what the trash holds. It goes
// repository by repository, and in each by the order of Kinds.
func (s *Store) Purge(ctx context.Context) (Purged, error) {
	now := s.opts.Clock.Now()
	done, err := s.sweep(ctx, "", func(e *Entry) bool { return !now.IsZero() && !e.Expires.After(now) })
	if err != nil {
		return done, err
	}
	return done, s.settleAll(ctx)
}

// Count counts what the trash holds.
func (s *Store) Count(ctx context.Context) error {
	_, err := s.sweep(ctx, "", func(*Entry) bool { return false })
	return err
}

// Empty removes for good, before it expires, what chosen says of a repository, or of
// all where repo is empty.
func (s *Store) Empty(ctx context.Context, repo string, chosen func(*Entry) bool) (Purged, error) {
	return s.sweep(ctx, repo, chosen)
}

// pace is called before each object is purged, or each batch of them.
type pace func(context.Context) error

// sweep purges what chosen says and counts the rest.
func (s *Store) sweep(ctx context.Context, only string, chosen func(*Entry) bool) (Purged, error) {
	return s.sweepPaced(ctx, only, chosen, s.opts.Pace)
}

func (s *Store) sweepPaced(ctx context.Context, only string, chosen func(*Entry) bool, wait pace) (Purged, error) {
	var done Purged
	s.held.begin()
	repos := []string{only}
	if only == "" {
		var err error
		if repos, err = s.Repos(ctx); err != nil {
			return done, err
		}
	}
	var left Held
	var next time.Time
	for _, repo := range repos {
		entries, err := s.Entries(ctx, repo)
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
			if e.marked {
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
func (s *Store) purgeFrom(ctx context.Context, repo string, entries []Entry, chosen func(*Entry) bool, wait pace) (Purged, error) {
	var done Purged
	var going []Entry
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
	if err := s.raiseHorizon(ctx, repo, newest); err != nil {
		return done, err
	}
	if err := s.unsee(ctx, repo, going); err != nil {
		return done, err
	}
	n, err := s.readReceipts(ctx, repo)
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
func (s *Store) purge(ctx context.Context, e *Entry, n notes) error {
	switch {
	case e.marked:
		if err := s.purgeMarked(ctx, e, n); err != nil {
			return err
		}
	case e.Kind == Snapshots:
		if err := s.dropNodeReceipt(ctx, e.object()); err != nil {
			return err
		}
	case e.Kind == Data:
		if err := s.dropPackReceipt(ctx, e.object(), n); err != nil {
			return err
		}
	}
	return s.remove(ctx, e.at)
}

// dropPackReceipt removes what is noted of a pack that goes for good, unless it is there
// again.
func (s *Store) dropPackReceipt(ctx context.Context, o object, n notes) error {
	if _, noted := n.receipts[receiptKey{o.kind, o.name}]; !noted {
		return nil
	}
	_, err := s.store.Stat(ctx, o.path())
	if errors.Is(err, fs.ErrNotExist) {
		return s.forgetReceipt(ctx, o, n)
	}
	return err
}

// purgeMarked removes a pack that lies under a mark, unless it was uploaded again or
// brought back since it was listed, by another gateway too: one that is uploaded again may
// keep its time, and only its mark is gone then. It goes before its mark, without which it
// would be there again.
func (s *Store) purgeMarked(ctx context.Context, e *Entry, n notes) error {
	o := e.object()
	unlock, err := s.packs.Lock(ctx, o.path())
	if err != nil {
		return err
	}
	defer unlock()
	info, err := s.store.Stat(ctx, o.path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.ModTime().After(e.changed), !s.marks.hides(o):
		return nil
	}
	switch _, err := s.store.Stat(ctx, e.at); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	if err := s.remove(ctx, o.path()); err != nil {
		return err
	}
	return s.forgetReceipt(ctx, o, n)
}

// dropNodeReceipt removes the record that a node saved a snapshot, which goes for good,
// unless it is there again.
func (s *Store) dropNodeReceipt(ctx context.Context, o object) error {
	_, err := s.store.Stat(ctx, o.path())
	if errors.Is(err, fs.ErrNotExist) {
		return s.remove(ctx, storage.NodeReceipt(o.repo, o.name))
	}
	return err
}

// removeForGood removes an object where nothing is kept.
func (s *Store) removeForGood(ctx context.Context, o object) error {
	if err := s.store.Remove(ctx, o.path()); err != nil || o.kind != Snapshots {
		return err
	}
	return s.remove(ctx, storage.NodeReceipt(o.repo, o.name))
}

// remove removes an object for good, whether it is there or not.
func (s *Store) remove(ctx context.Context, name string) error {
	if err := s.store.Remove(ctx, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// dropStaleMarks removes marks that hide nothing any more, once they have expired: their
// packs are gone, or were uploaded again, or have a later mark.
func (s *Store) dropStaleMarks(ctx context.Context, repo string, hiding []Entry) error {
	now := s.opts.Clock.Now()
	used := make(map[string]bool)
	for _, e := range hiding {
		if e.marked {
			used[e.at] = true
		}
	}
	var stale []string
	err := s.each(ctx, repo, dirMarks, func(e Entry) error {
		if !used[e.at] && !now.IsZero() && !e.Expires.After(now) {
			stale = append(stale, e.at)
		}
		return nil
	})
	return errors.Join(err, storage.RemoveAll(ctx, s.store, stale))
}

// hides reports whether nothing is known that speaks against a mark of a pack.
func (m *marks) hides(o object) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, known := m.repos[o.repo][o.name]
	return !known || k.there
}

// begin is told that a count begins.
func (h *held) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fresh = true
}

// counted takes over a count of all.
func (h *held) counted(now Held, next time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now.At = time.Now()
	h.now, h.next = now, next
	h.settle = time.Time{}
}

// moved is told of a pack that lay where it was.
func (h *held) moved(size int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now.InPlace = max(0, h.now.InPlace-size)
}

// settleAt is told when packs may be moved from under their marks.
func (h *held) settleAt(due time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.settle.IsZero() || due.Before(h.settle) {
		h.settle = due
	}
}

// less takes what was removed from what was counted.
func (h *held) less(by Purged) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now.Objects = max(0, h.now.Objects-by.Objects)
	h.now.Bytes = max(0, h.now.Bytes-by.Bytes)
}

// Due reports whether a purge would find anything new: the first one, one after a
// deletion, and one at the time when something expires or may be moved.
func (s *Store) Due() bool {
	now := s.opts.Clock.Now()
	s.held.mu.Lock()
	defer s.held.mu.Unlock()
	if settle := s.held.settle; !settle.IsZero() && time.Until(settle) <= 0 {
		return true
	}
	return s.held.now.At.IsZero() || !s.held.fresh || !s.held.next.IsZero() && !now.IsZero() && !s.held.next.After(now)
}
