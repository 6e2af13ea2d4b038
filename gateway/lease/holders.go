package lease

import (
	"sync"
	"time"
)

// trust is how long this gateway assumes, without asking Redis, that a lease granted by
// another gateway is alive. It helps a node that deletes thousands of objects.
const trust = 5 * time.Second

// holders are the users known to hold leases, and until when. A lease that this gateway
// granted or renewed ends here before it ends in Redis.
type holders struct {
	mu    sync.Mutex
	until map[holding]time.Time
}

type holding struct {
	repo   Repository
	holder string
}

// note records a lease that was just granted or renewed.
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

// len returns the number of leases known to be alive.
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

// Live returns the number of leases that this gateway knows to be alive.
func (k *Keeper) Live() int { return k.held.len() }
