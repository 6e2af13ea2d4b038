package trash

import (
	"sync"
	"time"
)

const (
	// pastsKept is how many repositories as they were a destination remembers what it
	// knows of. Each holds some 50 bytes of an object.
	pastsKept = 16
	// pastsExpire is how long one is remembered that nobody asks for.
	pastsExpire = 10 * time.Minute
)

// pasts are the repositories as they were that are in use.
type pasts struct {
	mu  sync.Mutex
	all map[pastKey]*Past
}

type pastKey struct {
	repo string
	at   int64
}

// Past returns a repository as it stood at the end of that second. Whether that time can
// be had shows when it is used.
func (s *Store) Past(repo string, at time.Time) *Past {
	now := time.Now()
	s.pasts.mu.Lock()
	defer s.pasts.mu.Unlock()
	key := pastKey{repo, at.Unix()}
	p := s.pasts.all[key]
	if p == nil {
		s.pasts.makeRoom(now)
		p = newPast(s, repo, at)
		s.pasts.all[key] = p
	}
	p.used = now
	return p
}

// makeRoom forgets what nobody asked for lately, and the one longest not asked for where
// there are many; it runs with mu held.
func (ps *pasts) makeRoom(now time.Time) {
	if ps.all == nil {
		ps.all = make(map[pastKey]*Past)
	}
	var oldest pastKey
	for key, p := range ps.all {
		if now.Sub(p.used) >= pastsExpire {
			delete(ps.all, key)
			continue
		}
		if first := ps.all[oldest]; first == nil || p.used.Before(first.used) {
			oldest = key
		}
	}
	if len(ps.all) >= pastsKept {
		delete(ps.all, oldest)
	}
}
