package lease

import (
	"sync"
	"time"
)

const (
	// lockLife is longer than the lifetime of a lock: restic replaces its locks every five
	// minutes, and considers them stale after half an hour.
	lockLife = time.Hour
	// maxOwnLocks bounds the locks that are remembered.
	maxOwnLocks = 10_000
)

// OwnLocks remembers for an hour which locks a user saved through this process. The zero
// value is ready; it is safe for concurrent use.
type OwnLocks struct {
	mu   sync.Mutex
	made map[[4]string]time.Time
}

// Note records a lock.
func (o *OwnLocks) Note(user, destination, repo, name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if len(o.made) >= maxOwnLocks {
		for key, at := range o.made {
			if now.Sub(at) > lockLife {
				delete(o.made, key)
			}
		}
	}
	if o.made == nil || len(o.made) >= maxOwnLocks {
		o.made = map[[4]string]time.Time{}
	}
	o.made[[4]string{user, destination, repo, name}] = now
}

// Made reports whether the user saved the lock within the last hour.
func (o *OwnLocks) Made(user, destination, repo, name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	at, known := o.made[[4]string{user, destination, repo, name}]
	return known && time.Since(at) <= lockLife
}
