package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// each calls fn for the entries of one directory of a repository's trash. What it does
// not understand, of a later version perhaps, it leaves alone.
func (l *Ledger) each(ctx context.Context, repo, dir string, fn func(Entry) error) error {
	err := l.store.List(ctx, repoDir(repo)+"/"+dir, func(info fs.FileInfo) error {
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

// EachKept calls fn for what lies in a repository's trash.
func (l *Ledger) EachKept(ctx context.Context, repo string, fn func(Entry) error) error {
	return l.each(ctx, repo, dirKept, fn)
}

// EachMark calls fn for the marks of a repository.
func (l *Ledger) EachMark(ctx context.Context, repo string, fn func(Entry) error) error {
	return l.each(ctx, repo, dirMarks, fn)
}

// ErrTreeless says that a storage has no [storage.Tree].
var ErrTreeless = fmt.Errorf("the storage shows no directories: %w", errors.ErrUnsupported)

// Repos returns the repositories that have anything in the trash.
func (l *Ledger) Repos(ctx context.Context) ([]string, error) {
	tree, ok := l.store.(storage.Tree)
	if !ok {
		return nil, fmt.Errorf("look for trash: %w", ErrTreeless)
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
func (l *Ledger) Entries(ctx context.Context, repo string) ([]Entry, error) {
	var entries []Entry
	if err := l.each(ctx, repo, dirKept, func(e Entry) error {
		entries = append(entries, e)
		return nil
	}); err != nil {
		return nil, err
	}
	p, err := l.MarkedPacks(ctx, repo)
	if err != nil {
		return nil, err
	}
	entries = append(withoutCopies(entries, p.Hidden), p.Hidden...)
	SortByDeletion(entries)
	return entries, nil
}

// SortByDeletion sorts entries, the one deleted first in front.
func SortByDeletion(entries []Entry) {
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(a.Deleted.Compare(b.Deleted), strings.Compare(a.At, b.At))
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

// Packs are the packs of a repository as their marks have it.
type Packs struct {
	Hidden []Entry // under marks
	Stale  []Entry // marks that hide nothing
	Live   int     // how many are not hidden
}

// MarkedPacks looks at the packs that lie under marks. Without marks the packs are not
// listed, and none are counted.
func (l *Ledger) MarkedPacks(ctx context.Context, repo string) (p Packs, err error) {
	var marked []Entry
	err = l.each(ctx, repo, dirMarks, func(e Entry) error {
		marked = append(marked, e)
		return nil
	})
	if err != nil || len(marked) == 0 {
		return p, err
	}
	n, err := l.ReadReceipts(ctx, repo)
	if err != nil {
		return p, err
	}
	hides := make([]bool, len(marked))
	byName := lastMarks(marked)
	err = l.store.List(ctx, repo+"/"+Data, func(info fs.FileInfo) error {
		i, ok := byName[info.Name()]
		if !ok || info.ModTime().After(marked[i].Changed) {
			p.Live++
			return nil
		}
		hides[i] = true
		e := marked[i]
		e.Size, e.Received = info.Size(), info.ModTime()
		if first, noted := n.Receipts[Key{Data, e.Name}]; noted {
			e.Received = first
		}
		p.Hidden = append(p.Hidden, e)
		return nil
	})
	for i, hides := range hides {
		if !hides {
			p.Stale = append(p.Stale, marked[i])
		}
	}
	return p, storage.IgnoreAbsent(err)
}

// lastMarks are the places of the marks that count: of several for a pack the last.
func lastMarks(marked []Entry) map[string]int {
	byName := make(map[string]int, len(marked))
	for i := range marked {
		e := &marked[i]
		if j, twice := byName[e.Name]; twice && marked[j].Changed.After(e.Changed) {
			continue
		}
		byName[e.Name] = i
	}
	return byName
}

// Holds reports whether the trash has anything of a repository but keys, which an init
// leaves that was not finished.
func (l *Ledger) Holds(ctx context.Context, repo string) (bool, error) {
	for _, dir := range []string{dirKept, dirMarks} {
		err := l.each(ctx, repo, dir, func(e Entry) error {
			if e.Kind != Keys {
				return errFound
			}
			return nil
		})
		if errors.Is(err, errFound) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

var errFound = errors.New("something was found")
