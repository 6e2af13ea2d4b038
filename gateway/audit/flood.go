package audit

import (
	"maps"
	"slices"
	"time"
)

const (
	// Up to floodMost refusals of a user within floodSpan are recorded individually,
	// further ones are counted. Otherwise anybody with a module's password could fill the
	// log and push out older events.
	floodSpan = time.Minute
	floodMost = 60
)

// Refused is the What of events that are counted during floods.
const Refused = "refused"

// flood counts refusals by user. The zero value is ready.
type flood struct{ users map[string]*spate }

type spate struct {
	began time.Time
	count int
	last  Event // the last one that was not recorded
}

// admit returns the lines to write for an event, including counts of earlier ones.
func (f *flood) admit(e Event) []Event {
	now := time.Now()
	var due []Event
	for user, s := range f.users {
		if now.Sub(s.began) >= floodSpan {
			due = append(due, s.held()...)
			delete(f.users, user)
		}
	}
	if e.What != Refused {
		return append(due, e)
	}
	s := f.users[e.Who]
	if s == nil {
		if f.users == nil {
			f.users = make(map[string]*spate)
		}
		s = &spate{began: now}
		f.users[e.Who] = s
	}
	s.count++
	if s.count > floodMost {
		s.last = e
		return due
	}
	return append(due, e)
}

// held returns the line that stands for all events that were counted.
func (s *spate) held() []Event {
	if s.count <= floodMost {
		return nil
	}
	e := s.last
	e.Count = s.count - floodMost
	e.Detail = "and others within a minute; this is the last of them"
	return []Event{e}
}

// rest returns the lines for what is still held back.
func (f *flood) rest() (events []Event) {
	for _, user := range slices.Sorted(maps.Keys(f.users)) {
		events = append(events, f.users[user].held()...)
	}
	f.users = nil
	return events
}
