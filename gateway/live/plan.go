package live

import "time"

// plan says when the next loads begin: of everything, and of the users alone.
type plan struct {
	next         *time.Timer
	whole, users errand
	waiting      []chan<- error // for users or everything
	waitingWhole []chan<- error
	follow       bool // a load of everything must follow that of users
}

// errand is one of the two kinds of load.
type errand struct {
	wanted  bool
	due     time.Time // when it begins, if it is wanted
	soonest time.Time // the earliest time for it
}

func (e *errand) want(at time.Time) {
	if !e.wanted || at.Before(e.due) {
		e.wanted, e.due = true, at
	}
}

// newPlan plans an immediate load of everything.
func newPlan() *plan {
	p := &plan{next: time.NewTimer(0)}
	p.whole.want(time.Now())
	return p
}

// reset sets the timer for the first load that is due.
func (p *plan) reset() {
	due := p.whole.due
	if p.users.wanted && p.users.due.Before(due) {
		due = p.users.due
	}
	p.next.Reset(max(0, time.Until(due)))
}

// hear plans for an event.
func (p *plan) hear(whole bool) {
	if whole {
		p.whole.want(p.whole.soonest)
	} else {
		p.users.want(p.users.soonest)
		p.follow = true
	}
	p.reset()
}

// ask plans a load for a waiting caller. A caller with unknown credentials needs the users,
// which are read for such callers no sooner than unprovenPause after the last time.
func (p *plan) ask(a ask, started time.Time) {
	if a.unproven {
		p.waiting = append(p.waiting, a.done)
		at := started.Add(unprovenPause)
		if at.Before(p.users.soonest) {
			at = p.users.soonest
		}
		p.users.want(at)
	} else {
		p.waitingWhole = append(p.waitingWhole, a.done)
		p.whole.want(p.whole.soonest)
	}
	p.reset()
}

// wholeIsDue reports whether the next load is one of everything.
func (p *plan) wholeIsDue(now time.Time) bool { return !p.whole.due.After(now) }

// end answers the callers that waited for the load, and plans the next one. again is when
// everything is loaded without a request.
func (p *plan) end(started time.Time, planned, whole bool, err error, again time.Duration) {
	for _, done := range p.waiting {
		done <- err
	}
	p.waiting = nil
	pause := reloadPause
	if err == nil {
		// The failure was a wait for Redis, which costs nothing.
		pause = min(max(pause, reloadShare*time.Since(started)), reloadPauseMax)
	}
	p.users.wanted = false
	if !planned {
		p.users.soonest = started.Add(pause)
	}
	now := time.Now()
	if whole {
		for _, done := range p.waitingWhole {
			done <- err
		}
		p.waitingWhole = nil
		p.whole = errand{wanted: true, due: now.Add(again), soonest: started.Add(pause)}
	} else if p.follow {
		p.whole.want(now.Add(wholePause))
	}
	p.follow = false
	p.reset()
}
