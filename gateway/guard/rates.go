package guard

import (
	"sync"
	"time"
)

// What a module may save where its destination has no other limits. A module that
// backs up every five minutes saves 12 snapshots an hour and as many indexes; the first
// backup of a hundred million small files some 500 indexes. A lock is left behind by each
// restic that was killed.
const (
	defaultSnapshots = 240
	defaultIndexes   = 3600
	defaultLocks     = 1000
)

// Saving is a kind of file whose number is limited.
type Saving uint8

// The kinds, for which each module has its own number an hour.
const (
	Snapshots Saving = iota
	Indexes
	numSavings
)

// rates are what the users of one destination have saved.
type rates struct {
	mu      sync.Mutex
	buckets map[string]*[numSavings]bucket // by user
}

// bucket lets a number of saves through at once, and as many in each hour after that.
type bucket struct {
	used float64 // of the number, at that time
	at   time.Time
}

// take uses up one of limit, or returns when there is one again.
func (b *bucket) take(now time.Time, limit int64) (wait time.Duration, ok bool) {
	perHour := float64(limit)
	b.used = max(0, b.used-perHour*now.Sub(b.at).Hours())
	b.at = now
	if over := b.used + 1 - perHour; over > 0 {
		return time.Duration(over / perHour * float64(time.Hour)), false
	}
	b.used++
	return 0, true
}

// Take uses up one of what a user may save at the destination in an hour. Where that is
// used up ok is false, and wait is when there is one again. GiveBack undoes it.
func (g *Guard) Take(user string, kind Saving) (giveBack func(), wait time.Duration, ok bool) {
	limit := g.perHour(kind)
	g.rates.mu.Lock()
	defer g.rates.mu.Unlock()
	if g.rates.buckets == nil {
		g.rates.buckets = make(map[string]*[numSavings]bucket)
	}
	buckets := g.rates.buckets[user]
	if buckets == nil {
		buckets = new([numSavings]bucket)
		g.rates.buckets[user] = buckets
	}
	if wait, ok = buckets[kind].take(time.Now(), limit); !ok {
		return nil, wait, false
	}
	return func() {
		g.rates.mu.Lock()
		defer g.rates.mu.Unlock()
		buckets[kind].used = max(0, buckets[kind].used-1)
	}, 0, true
}

// MaxLocks is how many locks a repository may have.
func (g *Guard) MaxLocks() int {
	return int(orDefault(g.limits.current.Load().ModuleLocks, defaultLocks))
}

func (g *Guard) perHour(kind Saving) int64 {
	limits := g.limits.current.Load()
	if kind == Snapshots {
		return orDefault(limits.ModuleSnapshots, defaultSnapshots)
	}
	return orDefault(limits.ModuleIndexes, defaultIndexes)
}

func orDefault(limit, otherwise int64) int64 {
	if limit > 0 {
		return limit
	}
	return otherwise
}
