package observe

import (
	"sync"
	"time"
)

// repeatPause is how long failures of one kind have one line of the log.
const repeatPause = time.Minute

// repeats knows which failures of destinations the log has told lately. An outage fails
// many requests in the same way, and its story is in the first.
type repeats struct {
	mu    sync.Mutex
	known map[failureKind]*repeated
}

// failureKind is what requests have in common that fail for one reason.
type failureKind struct {
	destination, hint string
	code              int
}

type repeated struct {
	told   time.Time
	untold int
}

// tell reports whether a failure of that kind is to be told now, and how many were not
// since the last one that was.
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
