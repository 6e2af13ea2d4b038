package status

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// maxFailures bounds the pairs of user and address that are remembered, maxName the
	// length of a name, which callers can make up.
	maxFailures = 200
	maxName     = 64
)

// Failures counts failed logins and refused requests, in memory. The zero value is ready.
type Failures struct {
	mu  sync.Mutex
	all map[[3]string]*Failure
}

// Add counts a failure.
func (f *Failures) Add(user, from, reason string, now time.Time) {
	if len(user) > maxName {
		user = user[:maxName] + "…"
	}
	user = strings.ToValidUTF8(user, "\ufffd")
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = map[[3]string]*Failure{}
	}
	key := [3]string{user, from, reason}
	known := f.all[key]
	if known == nil {
		if len(f.all) >= maxFailures {
			f.forgetOldest()
		}
		known = &Failure{User: user, From: from, Reason: reason, First: now}
		f.all[key] = known
	}
	known.Count++
	known.Last = now
}

func (f *Failures) forgetOldest() {
	var oldest [3]string
	for key, failure := range f.all {
		if f.all[oldest] == nil || failure.Last.Before(f.all[oldest].Last) {
			oldest = key
		}
	}
	delete(f.all, oldest)
}

// List returns the failures, newest first.
func (f *Failures) List() []Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Failure, 0, len(f.all))
	for _, failure := range f.all {
		all = append(all, *failure)
	}
	slices.SortFunc(all, func(a, b Failure) int {
		return cmp.Or(b.Last.Compare(a.Last), strings.Compare(a.User, b.User), strings.Compare(a.From, b.From))
	})
	return all
}
