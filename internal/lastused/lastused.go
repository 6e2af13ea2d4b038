// Package lastused keeps the values of a bounded number of keys: those that were used last.
package lastused

import (
	"sync"
	"time"
)

// Limits bound a [Map].
type Limits struct {
	// Most is how many values are kept. At the limit, the least recently used one is dropped.
	Most int
	// Unused is how long a value is kept that nobody gets. It is dropped when the next one is
	// created.
	Unused time.Duration
}

// Map holds a value per key. The zero value is ready; it is safe for concurrent use.
type Map[K comparable, V any] struct {
	mu      sync.Mutex
	entries map[K]*entry[V]
}

type entry[V any] struct {
	value V
	used  time.Time
}

// Get returns the value of a key. If there is none, it drops what the limits do not allow and
// keeps the value that create returns; create must not use the map.
func (m *Map[K, V]) Get(key K, limits Limits, create func() V) V {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	e := m.entries[key]
	if e == nil {
		m.makeRoom(now, limits)
		e = &entry[V]{value: create()}
		m.entries[key] = e
	}
	e.used = now
	return e.value
}

// Len returns the number of values.
func (m *Map[K, V]) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries)
}

// makeRoom drops unused values and, at the limit, the least recently used one. The caller
// holds mu.
func (m *Map[K, V]) makeRoom(now time.Time, limits Limits) {
	if m.entries == nil {
		m.entries = make(map[K]*entry[V])
	}
	var oldest K
	for key, e := range m.entries {
		if now.Sub(e.used) >= limits.Unused {
			delete(m.entries, key)
			continue
		}
		if first := m.entries[oldest]; first == nil || e.used.Before(first.used) {
			oldest = key
		}
	}
	if len(m.entries) >= limits.Most {
		delete(m.entries, oldest)
	}
}
