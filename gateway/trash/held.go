package trash

import (
	"sync"
	"time"
)

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

// begin is told that a count begins.
func (h *held) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fresh = true
}

// counted takes over a count of all.
func (h *held) counted(now Held, next time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now.At = time.Now()
	h.now, h.next = now, next
	h.settle = time.Time{}
}

// moved is told of a pack that lay where it was.
func (h *held) moved(size int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now.InPlace = max(0, h.now.InPlace-size)
}

// settleAt is told when packs may be moved from under their marks.
func (h *held) settleAt(due time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.settle.IsZero() || due.Before(h.settle) {
		h.settle = due
	}
}

// less takes what was removed from what was counted.
func (h *held) less(by Purged) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now.Objects = max(0, h.now.Objects-by.Objects)
	h.now.Bytes = max(0, h.now.Bytes-by.Bytes)
}

// Due reports whether a purge would find anything new: the first one, one after a
// deletion, and one at the time when something expires or may be moved.
func (s *Store) Due() bool {
	now := s.opts.Clock.Now()
	s.held.mu.Lock()
	defer s.held.mu.Unlock()
	if settle := s.held.settle; !settle.IsZero() && time.Until(settle) <= 0 {
		return true
	}
	return s.held.now.At.IsZero() || !s.held.fresh || !s.held.next.IsZero() && !now.IsZero() && !s.held.next.After(now)
}
