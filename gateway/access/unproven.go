package access

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// unprovenTime is how long credentials stay refused that Redis was asked about:
	// a module that is created meanwhile, and not announced, waits that long at most.
	unprovenTime = time.Second
	// refusedPause is how long the answer takes to credentials that were refused within
	// that time.
	refusedPause = 100 * time.Millisecond
	// unprovenMax bounds how many are remembered. Those beyond wait for Redis.
	unprovenMax = 4096
)

// unproven remembers which credentials were refused by what Redis said, so that whoever
// sends the same ones again and again costs no more than the answer. It is safe for
// concurrent use; the zero value is ready.
type unproven struct {
	mu    sync.Mutex
	asked map[[sha256.Size]byte]time.Time // when the question was put, by credentials
}

// lately reports whether Redis was asked about credentials within the last second.
func (u *unproven) lately(credentials string, now time.Time) bool {
	key := sha256.Sum256([]byte(credentials))
	u.mu.Lock()
	defer u.mu.Unlock()
	asked, known := u.asked[key]
	return known && now.Sub(asked) < unprovenTime
}

// note remembers that Redis was asked about credentials, and that they were refused
// nevertheless.
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
