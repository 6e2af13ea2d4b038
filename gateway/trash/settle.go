package trash

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
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
	repos, err := s.Repos(ctx)
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
	err := s.each(ctx, repo, dirMarks, func(Entry) error {
		marks++
		return nil
	})
	if err != nil || marks <= s.settleLeast {
		return err
	}
	p, err := s.markedPacks(ctx, repo)
	if err != nil {
		return err
	}
	for i := range p.stale {
		if time.Since(p.stale[i].Deleted) < s.settleAfter {
			continue
		}
		if err := s.remove(ctx, p.stale[i].at); err != nil {
			return err
		}
	}
	return s.settle(ctx, p.hidden, p.live)
}

// settle moves packs from under their marks into the trash, where the storage copies
// and there are too many. Marked are those of one repository, beside live packs.
func (s *Store) settle(ctx context.Context, marked []Entry, live int) error {
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
	n, err := s.readReceipts(ctx, marked[0].Repo)
	if err != nil {
		return err
	}
	slices.SortFunc(marked, func(a, b Entry) int { return cmp.Or(a.Deleted.Compare(b.Deleted), cmp.Compare(a.Name, b.Name)) })
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
func (s *Store) settleOne(ctx context.Context, copier storage.Copier, e *Entry, n notes) error {
	o := e.object()
	unlock, err := s.packs.Lock(ctx, o.path())
	if err != nil {
		return err
	}
	defer unlock()
	info, err := s.store.Stat(ctx, o.path())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		if info.ModTime().After(e.changed) || !s.marks.hides(o) {
			return nil // it was uploaded again
		}
		if moved, err := s.moveMarked(ctx, copier, e); err != nil || !moved {
			return err
		}
	}
	if err := s.forgetReceipt(ctx, o, n); err != nil { // the copy's name has it
		return err
	}
	if err := s.remove(ctx, e.at); err != nil {
		return err
	}
	s.marks.note(o, false)
	return nil
}

// moveMarked moves a pack that is there. It reports false where its mark was lifted in
// the meantime.
func (s *Store) moveMarked(ctx context.Context, copier storage.Copier, e *Entry) (moved bool, err error) {
	o := e.object()
	kept := repoDir(o.repo) + "/" + dirKept + "/" + entryName(o, e.Received, e.Deleted, e.Expires)
	if err := copier.Copy(ctx, o.path(), kept); err != nil {
		return false, err
	}
	switch _, err := s.store.Stat(ctx, e.at); {
	case errors.Is(err, fs.ErrNotExist):
		return false, s.remove(ctx, kept)
	case err != nil:
		return false, err
	}
	if err := ignoreAbsent(copier.RemoveCopied(ctx, o.path())); err != nil {
		return false, err
	}
	switch _, err := s.store.Stat(ctx, e.at); {
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
func (s *Store) returnSettled(ctx context.Context, o object) (returned bool, err error) {
	var last Entry
	err = s.each(ctx, o.repo, dirKept, func(e Entry) error {
		if e.object() == o && e.Deleted.After(last.Deleted) {
			last = e
		}
		return nil
	})
	if err != nil || last.at == "" {
		return false, err
	}
	return s.Restore(ctx, last)
}
