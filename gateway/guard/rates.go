package guard

import (
	"sync"
	"time"
)

// Default limits for what a module may save. A module with a backup every five minutes
// saves 12 snapshots and as many indexes an hour; the first backup of a hundred million
// small files saves some 500 indexes. Each restic that is killed leaves a lock behind.
const (
	defaultSnapshots = 240
	defaultIndexes   = 3600
	defaultLocks     = 1000
)

// Saving is a kind of file with a limited rate.
type Saving uint8

// The kinds. Each module has a separate hourly limit for each.
const (
	Snapshots Saving = iota
	Indexes
	numSavings
)

// rates counts what the users of one destination saved.
type rates struct {
	mu      sync.Mutex
	buckets map[string]*[numSavings]bucket // by user
}

// bucket allows a burst of the hourly limit, and the limit in each hour after that.
type bucket struct {
	used float64 // out of the limit, at that time
	at   time.Time
}

// take uses one of limit, or returns how long until there is one again.
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

// Take uses one of a user's hourly saves at the destination. If none is left, ok is false
// and wait is the time until there is one again. giveBack undoes it.
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

// MaxLocks returns the maximum number of locks in a repository.
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
