package trash

import (
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
	collect := func(e Entry) error {
		entries = append(entries, e)
		return nil
	}
	if err := s.each(ctx, repo, dirKept, collect); err != nil {
		return nil, err
	}
	kept := len(entries)
	if err := s.each(ctx, repo, dirMarks, collect); err != nil {
		return nil, err
	}
	if len(entries) > kept {
		marked, err := s.lookAtPacks(ctx, repo, entries[kept:])
		if err != nil {
			return nil, err
		}
		entries = append(entries[:kept], marked...)
	}
	slices.SortStableFunc(entries, func(a, b Entry) int {
		if c := a.Deleted.Compare(b.Deleted); c != 0 {
			return c
		}
		return strings.Compare(a.at, b.at)
	})
	return entries, nil
}

// lookAtPacks completes marked entries, and leaves out those that hide nothing.
func (s *Store) lookAtPacks(ctx context.Context, repo string, marked []Entry) ([]Entry, error) {
	byName := make(map[string]int, len(marked))
	for i, e := range marked {
		if j, twice := byName[e.Name]; twice && marked[j].changed.After(e.changed) {
			continue // the last mark counts
		}
		byName[e.Name] = i
	}
	var hiding []Entry
	err := s.store.List(ctx, repo+"/"+Data, func(info fs.FileInfo) error {
		i, ok := byName[info.Name()]
		if !ok || info.ModTime().After(marked[i].changed) {
			return nil
		}
		e := marked[i]
		e.Size, e.Received = info.Size(), info.ModTime()
		hiding = append(hiding, e)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return hiding, err
}

// Held is how much the trash of a destination holds.
type Held struct {
	Objects, Bytes int64
	// At is when that was counted; zero where it was not yet.
	At time.Time
}

// held is what was counted last, and what came since.
type held struct {
	mu    sync.Mutex
	now   Held
	fresh bool // nothing came since the last count
	// next is when the first of what was counted expires.
	next time.Time
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
func (s *Store) Kept() int64 { return s.Held().Bytes }

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
