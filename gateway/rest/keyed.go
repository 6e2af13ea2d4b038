package rest

import (
	"context"
	"sync"
)

// objectKey names one object of the process, across reloads.
type objectKey struct {
	destination, repo string
	typ               Type
	name              string
}

func (t *Target) key() objectKey {
	return objectKey{destination: t.Destination, repo: t.Repo, typ: t.Type, name: t.Name}
}

// keyedMutex is one mutex per object. It holds an entry only while somebody has
// or awaits it. The zero value is ready.
type keyedMutex struct {
	mu      sync.Mutex
	entries map[objectKey]*keyedEntry
}

type keyedEntry struct {
	held  chan struct{} // of capacity 1; full while somebody has the mutex
	users int           // who has or awaits it, guarded by keyedMutex.mu
}

// lock waits for the object's mutex, in the order of the calls, or until ctx
// ends, whose error it then returns.
func (m *keyedMutex) lock(ctx context.Context, key objectKey) (unlock func(), err error) {
	e := m.enter(key)
	select {
	case e.held <- struct{}{}:
		return func() {
			<-e.held
			m.leave(key, e)
		}, nil
	case <-ctx.Done():
		m.leave(key, e)
		return nil, ctx.Err()
	}
}

func (m *keyedMutex) enter(key objectKey) *keyedEntry {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[key]
	if e == nil {
		e = &keyedEntry{held: make(chan struct{}, 1)}
		if m.entries == nil {
			m.entries = make(map[objectKey]*keyedEntry)
		}
		m.entries[key] = e
	}
	e.users++
	return e
}

func (m *keyedMutex) leave(key objectKey, e *keyedEntry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.users--; e.users == 0 {
		delete(m.entries, key)
	}
}
