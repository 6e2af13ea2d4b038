// Package keyedmutex is one mutex for each of any number of keys.
package keyedmutex

import (
	"context"
	"sync"
)

// Mutex is one mutex per key. It has an entry only while a key is locked or waited for. The
// zero value is ready.
type Mutex[K comparable] struct {
	mu      sync.Mutex
	entries map[K]*entry
}

type entry struct {
	held  chan struct{} // capacity 1; full while locked
	users int           // holders and waiters, guarded by Mutex.mu
}

// Lock locks the key's mutex, in the order of the calls. If ctx ends before, it returns
// ctx's error.
func (m *Mutex[K]) Lock(ctx context.Context, key K) (unlock func(), err error) {
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

// TryLock locks the key's mutex if nobody holds it or waits for it; otherwise locked is
// false.
func (m *Mutex[K]) TryLock(key K) (unlock func(), locked bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries[key] != nil {
		return nil, false
	}
	e := m.add(key)
	e.held <- struct{}{}
	return func() {
		<-e.held
		m.leave(key, e)
	}, true
}

func (m *Mutex[K]) enter(key K) *entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entries[key]; e != nil {
		e.users++
		return e
	}
	return m.add(key)
}

// add adds a user to the entry of a key. The caller holds mu.
func (m *Mutex[K]) add(key K) *entry {
	e := &entry{held: make(chan struct{}, 1), users: 1}
	if m.entries == nil {
		m.entries = make(map[K]*entry)
	}
	m.entries[key] = e
	return e
}

func (m *Mutex[K]) leave(key K, e *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.users--; e.users == 0 {
		delete(m.entries, key)
	}
}
