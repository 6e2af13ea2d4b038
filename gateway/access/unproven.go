package access

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// unprovenTime is how long credentials that Redis refused stay refused. A module that
	// is created meanwhile without an event waits at most so long.
	unprovenTime = time.Second
	// refusedPause delays the answer to credentials that were refused within that time.
	refusedPause = 100 * time.Millisecond
	// unprovenMax bounds how many are remembered. Further ones are checked with Redis.
	unprovenMax = 4096
)

// unproven remembers credentials that Redis refused, so that a client that repeats them
// causes no load on Redis. It is safe for concurrent use; the zero value is ready.
type unproven struct {
	mu    sync.Mutex
	asked map[[sha256.Size]byte]time.Time // time of the question to Redis, by hash of the credentials
}

// lately reports whether Redis refused the credentials within the last second.
func (u *unproven) lately(credentials string, now time.Time) bool {
	key := sha256.Sum256([]byte(credentials))
	u.mu.Lock()
	defer u.mu.Unlock()
	asked, known := u.asked[key]
	return known && now.Sub(asked) < unprovenTime
}

// note remembers that Redis was asked about credentials at a time, and refused them.
func (u *unproven) note(credentials string, asked time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.asked) >= unprovenMax {
		for key, at := range u.asked {
			if asked.Sub(at) >= unprovenTime {
				delete(u.asked, key)
			}
		}
	}
	if u.asked == nil {
		u.asked = map[[sha256.Size]byte]time.Time{}
	}
	if len(u.asked) < unprovenMax {
		u.asked[sha256.Sum256([]byte(credentials))] = asked
	}
}
