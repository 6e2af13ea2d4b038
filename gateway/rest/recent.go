package rest

import (
	"sync"
	"time"
)

const (
	// recentFor is how long a remote may take to list what was written, or to
	// stop listing what was removed.
	recentFor = time.Minute
	// recentMax is how many locks of one repository are remembered. A client
	// holds one or two; more than this is abuse, and costs nobody but itself.
	recentMax = 256
)

// repoKey names a repository of the process, across reloads.
type repoKey struct{ destination, repo string }

func (t *Target) repoKey() repoKey { return repoKey{t.Destination, t.Repo} }

// recentLock is what this process did to a lock last.
type recentLock struct {
	at      time.Time
	size    int64
	removed bool
	going   bool // it was written, and is being removed
}

// absent reports whether it is this process's own doing if the lock is not there.
func (l recentLock) absent() bool { return l.removed || l.going }

// recentLocks remembers which locks were written and removed within the last
// minute. Two clients exclude one another by writing a lock and then listing the
// locks of the other, so that a list which lags behind would let both through, or
// hold one up for a lock that is gone. The zero value is ready.
type recentLocks struct {
	mu    sync.Mutex
	repos map[repoKey]map[string]recentLock
	swept time.Time // when the expired ones of all repositories were last dropped
}

// wrote remembers that a lock was stored.
func (r *recentLocks) wrote(repo repoKey, name string, size int64) {
	r.note(repo, name, recentLock{at: time.Now(), size: size})
}

// going remembers of a lock that was written within the last minute, which it tells,
// that it is being removed: from now on the remote may have it or not.
func (r *recentLocks) going(repo repoKey, name string) (written bool) {
	return r.mark(repo, name, true)
}

// stays takes back what going said.
func (r *recentLocks) stays(repo repoKey, name string) { r.mark(repo, name, false) }

func (r *recentLocks) mark(repo repoKey, name string, going bool) (written bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, known := r.repos[repo][name]
	if !known || l.removed || time.Since(l.at) >= recentFor {
		return false
	}
	l.going = going
	r.repos[repo][name] = l
	return true
}

// removed remembers that a lock was deleted.
func (r *recentLocks) removed(repo repoKey, name string) {
	r.note(repo, name, recentLock{at: time.Now(), removed: true})
}

// removedAll remembers that all locks of a repository were deleted.
func (r *recentLocks) removedAll(repo repoKey) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.repos[repo] {
		r.repos[repo][name] = recentLock{at: now, removed: true}
	}
}

// forget drops what is known of a lock after an operation whose outcome is not:
// from then on only the remote can tell.
func (r *recentLocks) forget(repo repoKey, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.repos[repo], name)
}

// last says what was done to a lock within the last minute, if anything.
func (r *recentLocks) last(repo repoKey, name string) (l recentLock, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, known = r.repos[repo][name]
	return l, known && time.Since(l.at) < recentFor
}

// all returns what was done to the locks of a repository within the last minute,
// by name. The map is the caller's.
func (r *recentLocks) all(repo repoKey) map[string]recentLock {
	r.mu.Lock()
	defer r.mu.Unlock()
	var locks map[string]recentLock
	for name, l := range r.repos[repo] {
		if time.Since(l.at) >= recentFor {
			continue
		}
		if locks == nil {
			locks = make(map[string]recentLock)
		}
		locks[name] = l
	}
	return locks
}

func (r *recentLocks) note(repo repoKey, name string, l recentLock) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep(l.at)
	locks := r.repos[repo]
	if locks == nil {
		locks = make(map[string]recentLock)
		if r.repos == nil {
			r.repos = make(map[repoKey]map[string]recentLock)
		}
		r.repos[repo] = locks
	}
	locks[name] = l
	if len(locks) > recentMax {
		dropOldest(locks)
	}
}

// sweep drops what has expired, at most once per recentFor, so that the memory
// is bounded by what happened within two of them.
func (r *recentLocks) sweep(now time.Time) {
	if now.Sub(r.swept) < recentFor {
		return
	}
	r.swept = now
	for repo, locks := range r.repos {
		for name, l := range locks {
			if now.Sub(l.at) >= recentFor {
				delete(locks, name)
			}
		}
		if len(locks) == 0 {
			delete(r.repos, repo)
		}
	}
}

func dropOldest(locks map[string]recentLock) {
	var oldest string
	for name, l := range locks {
		if oldest == "" || l.at.Before(locks[oldest].at) {
			oldest = name
		}
	}
	delete(locks, oldest)
}
