package observe

import (
	"sync"
	"time"
)

// repeatPause is the time during which repeated failures of a kind share one log line.
const repeatPause = time.Minute

// repeats knows which failures of destinations were logged recently. In an outage many
// requests fail in the same way.
type repeats struct {
	mu    sync.Mutex
	known map[failureKind]*repeated
}

// failureKind identifies failures with the same reason.
type failureKind struct {
	destination, hint string
	code              int
}

type repeated struct {
	told   time.Time
	untold int
}

// tell reports whether a failure of that kind should be logged now, and how many were not
// since the last one.
func (r *repeats) tell(kind failureKind, now time.Time) (yes bool, untold int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.known[kind]
	if known == nil {
		if r.known == nil {
			r.known = make(map[failureKind]*repeated)
		}
		r.known[kind] = &repeated{told: now}
		return true, 0
	}
	if now.Sub(known.told) < repeatPause {
		known.untold++
		return false, 0
	}
	untold = known.untold
	*known = repeated{told: now}
	return true, untold
}
