package trash

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// A pack under a mark costs whoever lists its repository twice: the storage lists the
// pack, and the mark. So few packs stay under marks; the others are moved into the trash
// in the background, the oldest first.
const (
	// settleAfter is how long a pack stays under its mark at least: what was deleted by
	// mistake a moment ago comes back by the removal of a mark.
	settleAfter = time.Hour
	// settleShare is the part of a repository's packs that may lie under marks, and
	// settleLeast how many always may.
	settleShare = 20
	settleLeast = 500
)

// settleAll does so in all repositories.
func (s *Store) settleAll(ctx context.Context) error {
	if s.renames {
		return nil
	}
	repos, err := s.ledger.Repos(ctx)
	if err != nil {
		return err
	}
	for _, repo := range repos {
		if err := s.settleRepo(ctx, repo); err != nil {
			return err
		}
	}
	return nil
}

// settleRepo does so in one, which it lists only where it has many marks.
func (s *Store) settleRepo(ctx context.Context, repo string) error {
	marks := 0
	err := s.ledger.EachMark(ctx, repo, func(ledger.Entry) error {
		marks++
		return nil
	})
	if err != nil || marks <= s.settleLeast {
		return err
	}
	p, err := s.ledger.MarkedPacks(ctx, repo)
	if err != nil {
		return err
	}
	for i := range p.Stale {
		if time.Since(p.Stale[i].Deleted) < s.settleAfter {
			continue
		}
		if err := s.ledger.Remove(ctx, p.Stale[i].At); err != nil {
			return err
		}
	}
	return s.settle(ctx, p.Hidden, p.Live)
}

// settle moves packs from under their marks into the trash, where the storage copies
// and there are too many. Marked are those of one repository, beside live packs.
func (s *Store) settle(ctx context.Context, marked []ledger.Entry, live int) error {
	excess := len(marked) - max(s.settleLeast, live/settleShare)
	if excess <= 0 {
		return nil
	}
	copier, ok := s.store.(storage.Copier)
	if !ok {
		return nil
	}
	if copies, err := copier.Copies(ctx); err != nil || !copies {
		return err
	}
	n, err := s.ledger.ReadReceipts(ctx, marked[0].Repo)
	if err != nil {
		return err
	}
	slices.SortFunc(marked, func(a, b ledger.Entry) int { return cmp.Or(a.Deleted.Compare(b.Deleted), cmp.Compare(a.Name, b.Name)) })
	for i := range marked[:excess] {
		e := &marked[i]
		if due := e.Deleted.Add(s.settleAfter); time.Until(due) > 0 {
			s.held.settleAt(due)
			return nil
		}
		if s.opts.Pace != nil {
			if err := s.opts.Pace(ctx); err != nil {
				return err
			}
		}
		if err := s.settleOne(ctx, copier, e, n); err != nil {
			return err
		}
	}
	return nil
}

// settleOne moves one pack. Killed after any step, it is done again by the next round:
// the name of the copy is always the same, and as long as there is a mark the pack is
// hidden, wherever it lies. Another gateway may lift the mark meanwhile, since the pack
// was uploaded again or is restored: then it stays, or comes back.
func (s *Store) settleOne(ctx context.Context, copier storage.Copier, e *ledger.Entry, n ledger.Notes) error {
	o := e.Ref()
	unlock, err := s.packs.Lock(ctx, o.Path())
	if err != nil {
		return err
	}
	defer unlock()
	info, err := s.store.Stat(ctx, o.Path())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		if info.ModTime().After(e.Changed) || !s.ledger.Marks.Hides(o) {
			return nil // it was uploaded again
		}
		if moved, err := s.moveMarked(ctx, copier, e); err != nil || !moved {
			return err
		}
	}
	if err := s.ledger.ForgetReceipt(ctx, o, n); err != nil { // the copy's name has it
		return err
	}
	if err := s.ledger.Remove(ctx, e.At); err != nil {
		return err
	}
	s.ledger.Marks.Note(o, false)
	return nil
}

// moveMarked moves a pack that is there. It reports false where its mark was lifted in
// the meantime.
func (s *Store) moveMarked(ctx context.Context, copier storage.Copier, e *ledger.Entry) (moved bool, err error) {
	o := e.Ref()
	kept := ledger.KeptName(o, e.Received, e.Deleted, e.Expires)
	if err := copier.Copy(ctx, o.Path(), kept); err != nil {
		return false, err
	}
	switch _, err := s.store.Stat(ctx, e.At); {
	case errors.Is(err, fs.ErrNotExist):
		return false, s.ledger.Remove(ctx, kept)
	case err != nil:
		return false, err
	}
	if err := storage.IgnoreAbsent(copier.RemoveCopied(ctx, o.Path())); err != nil {
		return false, err
	}
	switch _, err := s.store.Stat(ctx, e.At); {
	case errors.Is(err, fs.ErrNotExist):
		_, err := s.returnSettled(ctx, o)
		return false, err
	case err != nil:
		return false, err
	}
	s.held.moved(e.Size)
	return true, nil
}

// returnSettled brings a pack back that lies in the trash, the one deleted last of
// several, and reports whether there is one.
func (s *Store) returnSettled(ctx context.Context, o ledger.Ref) (returned bool, err error) {
	var last ledger.Entry
	err = s.ledger.EachKept(ctx, o.Repo, func(e ledger.Entry) error {
		if e.Ref() == o && e.Deleted.After(last.Deleted) {
			last = e
		}
		return nil
	})
	if err != nil || last.At == "" {
		return false, err
	}
	return s.Restore(ctx, last)
}
