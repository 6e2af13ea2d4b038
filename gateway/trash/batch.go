package trash

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// A storage that removes many objects in one request is asked to purge that many at once.
// All of a batch are of one kind, and lie in the trash or under marks. What one object
// needs before it goes is looked up for all of them by lists.

// batchDirs bounds the directories of packs that a batch of packs under marks lies in:
// each is listed just before.
const batchDirs = 16

// batches takes what is to be purged apart, in the order of Kinds.
func (s *Store) batches(going []ledger.Entry) [][]ledger.Entry {
	slices.SortStableFunc(going, func(a, b ledger.Entry) int {
		return cmp.Or(cmp.Compare(ledger.Order(a.Kind), ledger.Order(b.Kind)), cmp.Compare(rank(a.Marked), rank(b.Marked)), cmp.Compare(a.Name, b.Name))
	})
	most := storage.Bulk(s.store)
	var batches [][]ledger.Entry
	begin, dirs := 0, 1
	for i := range going {
		if i == begin {
			dirs = 1
			continue
		}
		first, before, e := &going[begin], &going[i-1], &going[i]
		if e.Marked && e.Ref().Dir() != before.Ref().Dir() {
			dirs++
		}
		if i-begin == most || e.Kind != first.Kind || e.Marked != first.Marked || dirs > batchDirs {
			batches = append(batches, going[begin:i])
			begin, dirs = i, 1
		}
	}
	if begin < len(going) {
		batches = append(batches, going[begin:])
	}
	return batches
}

func rank(marked bool) int {
	if marked {
		return 1
	}
	return 0
}

// purgeBatch removes a batch for good, and what is noted of it.
func (s *Store) purgeBatch(ctx context.Context, batch []ledger.Entry, n ledger.Notes) error {
	if len(batch) == 1 {
		return s.purge(ctx, &batch[0], n)
	}
	switch {
	case batch[0].Marked:
		return s.purgeMarkedBatch(ctx, batch, n)
	case batch[0].Kind == ledger.Snapshots:
		if err := s.dropNodeReceipts(ctx, batch); err != nil {
			return err
		}
	case batch[0].Kind == ledger.Data:
		for i := range batch {
			if err := s.dropPackReceipt(ctx, batch[i].Ref(), n); err != nil {
				return err
			}
		}
	}
	return storage.RemoveAll(ctx, s.store, placesOf(batch))
}

// placesOf are the names that entries have in the trash.
func placesOf(entries []ledger.Entry) []string {
	places := make([]string, len(entries))
	for i := range entries {
		places[i] = entries[i].At
	}
	return places
}

// dropNodeReceipts is dropNodeReceipt for several snapshots of one repository.
func (s *Store) dropNodeReceipts(ctx context.Context, batch []ledger.Entry) error {
	dir := path.Dir(storage.NodeReceipt(batch[0].Repo, ""))
	noted := make(map[string]bool)
	err := s.store.List(ctx, dir, func(info fs.FileInfo) error {
		noted[info.Name()] = true
		return nil
	})
	if err := storage.IgnoreAbsent(err); err != nil {
		return err
	}
	var going []string
	for i := range batch {
		o := batch[i].Ref()
		receipt := storage.NodeReceipt(o.Repo, o.Name)
		if !noted[path.Base(receipt)] {
			continue
		}
		_, err := s.store.Stat(ctx, o.Path())
		switch {
		case errors.Is(err, fs.ErrNotExist):
			going = append(going, receipt)
		case err != nil:
			return err
		}
	}
	return storage.RemoveAll(ctx, s.store, going)
}

// purgeMarkedBatch removes packs that lie under marks, and the marks. Of packs that are
// being uploaded, one after the other is waited for at the end.
func (s *Store) purgeMarkedBatch(ctx context.Context, batch []ledger.Entry, n ledger.Notes) error {
	awaited, err := s.purgeMarkedNow(ctx, batch, n)
	if err != nil {
		return err
	}
	for i := range awaited {
		if err := s.purge(ctx, &awaited[i], n); err != nil {
			return err
		}
	}
	return nil
}

// purgeMarkedNow is purgeMarkedBatch, but for packs that are being uploaded: those it
// returns.
func (s *Store) purgeMarkedNow(ctx context.Context, batch []ledger.Entry, n ledger.Notes) (awaited []ledger.Entry, err error) {
	var locked []ledger.Entry
	var unlocks []func()
	defer func() {
		for _, unlock := range unlocks {
			unlock()
		}
	}()
	for i := range batch {
		unlock, ok := s.packs.TryLock(batch[i].Ref().Path())
		if !ok {
			awaited = append(awaited, batch[i])
			continue
		}
		locked, unlocks = append(locked, batch[i]), append(unlocks, unlock)
	}
	hidden, err := s.stillHidden(ctx, locked)
	if err != nil {
		return nil, err
	}
	packs := make([]string, len(hidden))
	for i := range hidden {
		packs[i] = hidden[i].Ref().Path()
	}
	if err := storage.RemoveAll(ctx, s.store, packs); err != nil {
		return nil, err
	}
	for i := range hidden {
		if err := s.ledger.ForgetReceipt(ctx, hidden[i].Ref(), n); err != nil {
			return nil, err
		}
	}
	return awaited, storage.RemoveAll(ctx, s.store, placesOf(locked))
}

// stillHidden looks again which packs of a batch lie under their marks: since they were
// listed some may have been uploaded again, or brought back, by other gateways too.
func (s *Store) stillHidden(ctx context.Context, batch []ledger.Entry) ([]ledger.Entry, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	newer := make(map[string]bool)
	byName := make(map[string]*ledger.Entry, len(batch))
	var dirs []string
	for i := range batch {
		byName[batch[i].Name] = &batch[i]
		dirs = append(dirs, batch[i].Ref().Dir())
	}
	for _, dir := range slices.Compact(dirs) {
		err := s.store.List(ctx, dir, func(info fs.FileInfo) error {
			if e, ours := byName[info.Name()]; ours && info.ModTime().After(e.Changed) {
				newer[e.Name] = true
			}
			return nil
		})
		if err := storage.IgnoreAbsent(err); err != nil {
			return nil, err
		}
	}
	marks := make(map[string]bool)
	if err := s.ledger.EachMark(ctx, batch[0].Repo, func(e ledger.Entry) error {
		marks[e.At] = true
		return nil
	}); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(batch), func(e ledger.Entry) bool {
		return newer[e.Name] || !marks[e.At] || !s.ledger.Marks.Hides(e.Ref())
	}), nil
}
