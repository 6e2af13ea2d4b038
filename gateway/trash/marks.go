package trash

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// marks are the marks that a process knows of, by repository and pack. What it did
// itself after a list began is newer than what that list found.
type marks struct {
	some atomic.Bool // there may be any

	mu    sync.Mutex
	seq   uint64
	repos map[string]map[string]knownMark
}

// knownMark is what is known of one pack.
type knownMark struct {
	there bool
	seq   uint64 // of the change that this process made; 0 where a list found it
}

func (m *marks) any() bool { return m.some.Load() }

// has reports whether a pack is known to be under a mark.
func (m *marks) has(o object) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.repos[o.repo][o.name].there
}

// note remembers a change that this process made.
func (m *marks) note(o object, there bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seq++
	m.of(o.repo)[o.name] = knownMark{there, m.seq}
	m.some.Store(true)
}

// of returns the marks of a repository; it runs with mu held.
func (m *marks) of(repo string) map[string]knownMark {
	if m.repos == nil {
		m.repos = make(map[string]map[string]knownMark)
	}
	if m.repos[repo] == nil {
		m.repos[repo] = make(map[string]knownMark)
	}
	return m.repos[repo]
}

// now returns the number of the last change.
func (m *marks) now() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seq
}

// learn takes over what a list found that began after the change of that number, and
// corrects it by what was changed since.
func (m *marks) learn(repo string, since uint64, found map[string]time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(found) == 0 && len(m.repos[repo]) == 0 {
		return
	}
	known := m.of(repo)
	for name, k := range known {
		if k.seq <= since {
			delete(known, name)
		}
	}
	for name := range found {
		if k, changed := known[name]; !changed {
			known[name] = knownMark{there: true}
			m.some.Store(true)
		} else if !k.there {
			delete(found, name)
		}
	}
	for name, k := range known {
		if _, listed := found[name]; k.there && !listed {
			found[name] = farFuture // made while the list went on
		}
	}
}

// farFuture hides a pack whatever its own time is.
var farFuture = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// mark puts a pack under a mark.
func (s *Store) mark(ctx context.Context, o object, keep time.Duration) error {
	now := s.deletionTime()
	entry := entryName(o, time.Time{}, now, s.opts.Clock.Expiry(now, keep))
	if err := s.putEmpty(ctx, repoDir(o.repo)+"/"+dirMarks+"/"+entry); err != nil {
		return fmt.Errorf("mark %s as deleted: %w", o.path(), err)
	}
	s.marks.note(o, true)
	s.held.add(0)
	return nil
}

// readMarks lists the marks of a repository: when each pack was put under one last.
func (s *Store) readMarks(ctx context.Context, repo string) (map[string]time.Time, error) {
	since := s.marks.now()
	found := make(map[string]time.Time)
	// There may be many: of their names only the pack's is read.
	err := s.store.List(ctx, repoDir(repo)+"/"+dirMarks, func(info fs.FileInfo) error {
		name, _, ok := strings.Cut(strings.TrimPrefix(info.Name(), Data+"_"), "_")
		if ok && isHash(name) && info.ModTime().After(found[name]) {
			found[name] = info.ModTime()
		}
		return nil
	})
	if err := ignoreAbsent(err); err != nil {
		return nil, err
	}
	s.marks.learn(repo, since, found)
	return found, nil
}

// marksAround lists the marks: of those that were made by the end of a second, when the
// last one of each pack was, by the storage; and of those made since, when that was, by
// their names.
func (s *Store) marksAround(ctx context.Context, repo string, at time.Time) (until map[string]time.Time, since map[string]string, err error) {
	last := at.UTC().Format(strings.TrimSuffix(stampLayout, "Z"))
	until, since = make(map[string]time.Time), make(map[string]string)
	// There may be many: of their names no more is read than must be.
	err = s.store.List(ctx, repoDir(repo)+"/"+dirMarks, func(info fs.FileInfo) error {
		name, rest, ok := strings.Cut(strings.TrimPrefix(info.Name(), Data+"_"), "_")
		_, deleted, dated := strings.Cut(rest, "_d")
		deleted, _, _ = strings.Cut(deleted, "_")
		switch {
		case !ok || !dated || len(deleted) < len(last) || !isHash(name):
		case deleted[:len(last)] > last:
			since[name] = max(since[name], deleted)
		case info.ModTime().After(until[name]):
			until[name] = info.ModTime()
		}
		return nil
	})
	return until, since, ignoreAbsent(err)
}

// marksOf lists the marks of a repository by the packs that they are for.
func (s *Store) marksOf(ctx context.Context, repo string) (map[string][]string, error) {
	marks := make(map[string][]string)
	err := s.each(ctx, repo, dirMarks, func(e Entry) error {
		marks[e.Name] = append(marks[e.Name], e.at)
		return nil
	})
	return marks, err
}

// liftMarks removes all marks of a pack, which are listed unless they are known. The pack
// may not be there afterwards, where another gateway has been moving it into the trash:
// then it is brought back from there. It reports whether the pack is there.
func (s *Store) liftMarks(ctx context.Context, o object, known map[string][]string) (there bool, err error) {
	if known == nil {
		if known, err = s.marksOf(ctx, o.repo); err != nil {
			return false, err
		}
	}
	for _, name := range known[o.name] {
		if err := s.remove(ctx, name); err != nil {
			return false, err
		}
	}
	s.marks.note(o, false)
	_, err = s.store.Stat(ctx, o.path())
	if errors.Is(err, fs.ErrNotExist) {
		return s.returnSettled(ctx, o)
	}
	return err == nil, err
}
