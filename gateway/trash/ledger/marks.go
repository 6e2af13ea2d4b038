package ledger

import (
	"sync"
	"sync/atomic"
	"time"
)

// Marks are the marks that a process knows of, by repository and pack. What it did
// itself after a list began is newer than what that list found.
type Marks struct {
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

// Any reports whether there may be any.
func (m *Marks) Any() bool { return m.some.Load() }

// Has reports whether a pack is known to be under a mark.
func (m *Marks) Has(o Ref) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.repos[o.Repo][o.Name].there
}

// Note remembers a change that this process made.
func (m *Marks) Note(o Ref, there bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seq++
	m.of(o.Repo)[o.Name] = knownMark{there, m.seq}
	m.some.Store(true)
}

// of returns the marks of a repository; it runs with mu held.
func (m *Marks) of(repo string) map[string]knownMark {
	if m.repos == nil {
		m.repos = make(map[string]map[string]knownMark)
	}
	if m.repos[repo] == nil {
		m.repos[repo] = make(map[string]knownMark)
	}
	return m.repos[repo]
}

// now returns the number of the last change.
func (m *Marks) now() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seq
}

// learn takes over what a list found that began after the change of that number, and
// corrects it by what was changed since.
func (m *Marks) learn(repo string, since uint64, found map[string]time.Time) {
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

// Hides reports whether nothing is known that speaks against a mark of a pack.
func (m *Marks) Hides(o Ref) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, known := m.repos[o.Repo][o.Name]
	return !known || k.there
}
