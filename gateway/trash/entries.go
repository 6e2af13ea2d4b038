package trash

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// each calls fn for the entries of one directory of a repository's trash. What it does
// not understand, of a later version perhaps, it leaves alone.
func (s *Store) each(ctx context.Context, repo, dir string, fn func(Entry) error) error {
	err := s.store.List(ctx, repoDir(repo)+"/"+dir, func(info fs.FileInfo) error {
		if e, ok := parseEntry(repo, dir, info); ok {
			return fn(e)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Repos returns the repositories that have anything in the trash.
func (s *Store) Repos(ctx context.Context) ([]string, error) {
	tree, ok := s.store.(storage.Tree)
	if !ok {
		return nil, fmt.Errorf("look for trash: %w", errTreeless)
	}
	apps, err := subdirs(ctx, tree, Dir)
	if err != nil {
		return nil, err
	}
	var repos []string
	for _, app := range apps {
		uuids, err := subdirs(ctx, tree, Dir+"/"+app)
		if err != nil {
			return nil, err
		}
		for _, uuid := range uuids {
			repos = append(repos, app+"/"+uuid)
		}
	}
	return repos, nil
}

// subdirs returns the directories directly in dir, sorted.
func subdirs(ctx context.Context, tree storage.Tree, dir string) ([]string, error) {
	var names []string
	err := tree.ReadDir(ctx, dir, func(info fs.FileInfo) error {
		if info.IsDir() && info.Name() != "." {
			names = append(names, info.Name())
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	slices.Sort(names)
	return names, err
}

// Entries returns what a repository has in the trash, by the time of deletion. Packs
// that were uploaded again since are no longer in it. The receipt of a pack under a
// mark, and its size, are those of the pack, which takes a list of all packs.
func (s *Store) Entries(ctx context.Context, repo string) ([]Entry, error) {
	var entries []Entry
	if err := s.each(ctx, repo, dirKept, func(e Entry) error {
		entries = append(entries, e)
		return nil
	}); err != nil {
		return nil, err
	}
	p, err := s.markedPacks(ctx, repo)
	if err != nil {
		return nil, err
	}
	entries = append(withoutCopies(entries, p.hidden), p.hidden...)
	sortByDeletion(entries)
	return entries, nil
}

func sortByDeletion(entries []Entry) {
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(a.Deleted.Compare(b.Deleted), strings.Compare(a.at, b.at))
	})
}

// withoutCopies returns the kept entries, but for packs that lie under their marks too:
// whoever was moving them did not come to the end.
func withoutCopies(kept, marked []Entry) []Entry {
	if len(marked) == 0 {
		return kept
	}
	key := func(e *Entry) string { return e.Name + e.Deleted.String() }
	inPlace := make(map[string]bool, len(marked))
	for i := range marked {
		inPlace[key(&marked[i])] = true
	}
	return slices.DeleteFunc(kept, func(e Entry) bool { return e.Kind == Data && inPlace[key(&e)] })
}

// packs are the packs of a repository as their marks have it.
type packs struct {
	hidden []Entry // under marks
	stale  []Entry // marks that hide nothing
	live   int     // how many are not hidden
}

// markedPacks looks at the packs that lie under marks. Without marks the packs are not
// listed, and none are counted.
func (s *Store) markedPacks(ctx context.Context, repo string) (p packs, err error) {
	var marked []Entry
	err = s.each(ctx, repo, dirMarks, func(e Entry) error {
		marked = append(marked, e)
		return nil
	})
	if err != nil || len(marked) == 0 {
		return p, err
	}
	n, err := s.readReceipts(ctx, repo)
	if err != nil {
		return p, err
	}
	hides := make([]bool, len(marked))
	byName := lastMarks(marked)
	err = s.store.List(ctx, repo+"/"+Data, func(info fs.FileInfo) error {
		i, ok := byName[info.Name()]
		if !ok || info.ModTime().After(marked[i].changed) {
			p.live++
			return nil
		}
		hides[i] = true
		e := marked[i]
		e.Size, e.Received = info.Size(), info.ModTime()
		if first, noted := n.receipts[receiptKey{Data, e.Name}]; noted {
			e.Received = first
		}
		p.hidden = append(p.hidden, e)
		return nil
	})
	for i, hides := range hides {
		if !hides {
			p.stale = append(p.stale, marked[i])
		}
	}
	return p, ignoreAbsent(err)
}

// lastMarks are the places of the marks that count: of several for a pack the last.
func lastMarks(marked []Entry) map[string]int {
	byName := make(map[string]int, len(marked))
	for i := range marked {
		e := &marked[i]
		if j, twice := byName[e.Name]; twice && marked[j].changed.After(e.changed) {
			continue
		}
		byName[e.Name] = i
	}
	return byName
}

// Held is how much the trash of a destination holds.
type Held struct {
	Objects, Bytes int64
	// InPlace is the part of Bytes that lies where it was, in lists of the destination.
	InPlace int64
	// At is when that was counted; zero where it was not yet.
	At time.Time
}

// held is what was counted last, and what came since.
type held struct {
	mu    sync.Mutex
	now   Held
	fresh bool // nothing came since the last count
	// next is when the first of what was counted expires, and settle when packs may be
	// moved from under their marks.
	next, settle time.Time
}

func (h *held) add(size int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now.Objects++
	h.now.Bytes += size
	h.fresh = false
}

// Held returns how much the trash holds, as far as it was counted.
func (s *Store) Held() Held {
	s.held.mu.Lock()
	defer s.held.mu.Unlock()
	return s.held.now
}

// Kept returns how many bytes the trash holds that no list shows, as far as they were
// counted.
func (s *Store) Kept() int64 {
	held := s.Held()
	return held.Bytes - held.InPlace
}

// Holds reports whether the trash has anything of a repository but keys, which an init
// leaves that was not finished.
func (s *Store) Holds(ctx context.Context, repo string) (bool, error) {
	for _, dir := range []string{dirKept, dirMarks} {
		err := s.each(ctx, repo, dir, func(e Entry) error {
			if e.Kind != Keys {
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}
