package lease

import (
	"sync"
	"time"
)

// trust is for how long this gateway believes, without asking Redis, that a lease lives
// which another one granted: for a node that deletes thousands of objects.
const trust = 5 * time.Second

// holders are the users that are known to hold leases, until when. A lease that this
// gateway granted or renewed ends here before it ends in Redis.
type holders struct {
	mu    sync.Mutex
	until map[holding]time.Time
}

type holding struct {
	repo   Repository
	holder string
}

// note notes a lease that was granted or renewed just now.
func (h *holders) note(repo Repository, holder string) { h.noteUntil(repo, holder, TTL-timeout) }

func (h *holders) noteUntil(repo Repository, holder string, left time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if h.until == nil {
		h.until = map[holding]time.Time{}
	}
	for at, until := range h.until {
		if until.Before(now) {
			delete(h.until, at)
		}
	}
	h.until[holding{repo, holder}] = now.Add(left)
}

func (h *holders) forget(repo Repository, holder string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.until, holding{repo, holder})
}

func (h *holders) knows(repo Repository, holder string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().Before(h.until[holding{repo, holder}])
}

// len is how many leases are known to live.
func (h *holders) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, now := 0, time.Now()
	for _, until := range h.until {
		if now.Before(until) {
			n++
		}
	}
	return n
}

// Live is how many leases this gateway knows to live.
func (k *Keeper) Live() int { return k.held.len() }
