package session

import (
	"sync"
	"time"
)

const (
	// maxAttempts is how many logins of one user from one address may fail within span,
	// maxFromAddress how many of all users from one address.
	maxAttempts    = 10
	maxFromAddress = 50
	span           = 10 * time.Minute
	// maxTracked bounds the entries; beyond it, the oldest is dropped.
	maxTracked = 10_000
)

// Attempts limits failed logins. The zero value is ready.
//
// It counts per address and user, so that nobody can lock out an administrator who logs in
// from elsewhere.
type Attempts struct {
	mu    sync.Mutex
	tries map[[2]string]*tries
}

type tries struct {
	count int
	began time.Time
}

// Wait returns how long a login must wait; zero means not at all.
func (a *Attempts) Wait(address, user string, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return max(a.wait([2]string{address, user}, maxAttempts, now), a.wait([2]string{address}, maxFromAddress, now))
}

func (a *Attempts) wait(key [2]string, most int, now time.Time) time.Duration {
	t := a.tries[key]
	if t == nil || t.count < most {
		return 0
	}
	return max(0, t.began.Add(span).Sub(now))
}

// Failed counts a failed login.
func (a *Attempts) Failed(address, user string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tries == nil {
		a.tries = map[[2]string]*tries{}
	}
	for _, key := range [][2]string{{address, user}, {address}} {
		t := a.tries[key]
		if t == nil || now.Sub(t.began) >= span {
			a.makeRoom(now)
			t = &tries{began: now}
			a.tries[key] = t
		}
		t.count++
	}
}

// makeRoom drops expired entries and, at the limit, the oldest one.
func (a *Attempts) makeRoom(now time.Time) {
	if len(a.tries) < maxTracked {
		return
	}
	var oldest [2]string
	var began time.Time
	for key, t := range a.tries {
		switch {
		case now.Sub(t.began) >= span:
			delete(a.tries, key)
		case began.IsZero() || t.began.Before(began):
			oldest, began = key, t.began
		}
	}
	if len(a.tries) >= maxTracked {
		delete(a.tries, oldest)
	}
}

// Succeeded forgets earlier failures.
func (a *Attempts) Succeeded(address, user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.tries, [2]string{address, user})
}
