package calendar

import "time"

// Next returns the first time after the given one at which the event occurs, in the event's
// time zone or else in loc. It returns the zero time if there is none.
//
// As in systemd, when the clock is put forward, an event in the skipped hour does not
// occur: see [Event.NextSkipped]. When it is put back, an event in the repeated hour occurs
// the first time.
func (e *Event) Next(after time.Time, loc *time.Location) time.Time {
	loc = e.Location(loc)
	shown := shownBy(after, loc)
	for {
		shown = shown.Truncate(time.Microsecond).Add(time.Microsecond)
		var found bool
		if shown, found = e.nextShown(shown); !found {
			return time.Time{}
		}
		if at, exists := moment(shown, loc); exists && at.After(after) {
			return at
		}
	}
}

// Location returns the event's own time zone, or else the given one.
func (e *Event) Location(loc *time.Location) *time.Location {
	if e.zone != nil {
		return e.zone
	}
	return loc
}

// NextSkipped returns the first day after the given time, and before until, on which the
// event does not occur only because the clock is put forward past it. The day is
// represented by its midnight in UTC.
func (e *Event) NextSkipped(after, until time.Time, loc *time.Location) (day time.Time, skipped bool) {
	loc = e.Location(loc)
	for change := after.In(loc); ; {
		_, change = change.ZoneBounds()
		if change.IsZero() || change.After(until) {
			return time.Time{}, false
		}
		_, before := change.Add(-1).Zone()
		_, later := change.Zone()
		gap := change.UTC().Add(time.Duration(before) * time.Second)
		end := change.UTC().Add(time.Duration(later) * time.Second)
		at, found := e.nextShown(gap)
		if !found || !at.Before(end) { // also when the clock is put back
			continue
		}
		midnight := at.Truncate(24 * time.Hour)
		if !e.occursOn(midnight, loc) {
			return midnight, true
		}
	}
}

// occursOn reports whether the event occurs on a day, which is represented by its midnight
// in UTC.
func (e *Event) occursOn(midnight time.Time, loc *time.Location) bool {
	for at, found := e.nextShown(midnight); found && at.Before(midnight.Add(24*time.Hour)); at, found = e.nextShown(at.Add(time.Microsecond)) {
		if _, exists := moment(at, loc); exists {
			return true
		}
	}
	return false
}

// shownBy returns the date and time on a clock in loc, represented in UTC.
func shownBy(t time.Time, loc *time.Location) time.Time {
	t = t.In(loc)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// nextShown returns the first date and time from one on that the event matches.
func (e *Event) nextShown(from time.Time) (time.Time, bool) {
	fromYear, fromMonth, fromDay := from.Date()
	for y, ok := e.year.next(max(fromYear, firstYear), lastYear); ok; y, ok = e.year.next(y+1, lastYear) {
		month := 1
		if y == fromYear {
			month = int(fromMonth)
		}
		for m, ok := e.month.next(month, 12); ok; m, ok = e.month.next(m+1, 12) {
			day := 1
			if y == fromYear && m == int(fromMonth) {
				day = fromDay
			}
			if at, ok := e.inMonth(y, m, day, from); ok {
				return at, true
			}
		}
	}
	return time.Time{}, false
}

// inMonth is nextShown within a month, starting at a day.
func (e *Event) inMonth(year, month, day int, from time.Time) (time.Time, bool) {
	last := time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	days := e.day
	if e.fromEnd {
		days = days.inMonth(last)
	}
	for d, ok := days.next(day, last); ok; d, ok = days.next(d+1, last) {
		midnight := time.Date(year, time.Month(month), d, 0, 0, 0, 0, time.UTC)
		if !e.onWeekday(midnight.Weekday()) {
			continue
		}
		earliest := time.Duration(0)
		if from.After(midnight) {
			earliest = from.Sub(midnight)
		}
		if at, ok := e.nextTime(earliest); ok {
			return midnight.Add(at), true
		}
	}
	return time.Time{}, false
}

func (e *Event) onWeekday(day time.Weekday) bool {
	return e.weekdays == 0 || e.weekdays&(1<<((day+6)%7)) != 0
}

// nextTime returns the first matching time of day from one on, both as a duration since
// midnight.
func (e *Event) nextTime(from time.Duration) (time.Duration, bool) {
	fromHour, fromMinute := int(from/time.Hour), int(from%time.Hour/time.Minute)
	fromSecond := int(from % time.Minute / time.Microsecond)
	for h, ok := e.hour.next(fromHour, 23); ok; h, ok = e.hour.next(h+1, 23) {
		if h > fromHour {
			fromMinute, fromSecond = 0, 0
		}
		for m, ok := e.minute.next(fromMinute, 59); ok; m, ok = e.minute.next(m+1, 59) {
			if m > fromMinute {
				fromSecond = 0
			}
			if s, ok := e.second.next(fromSecond, lastMicrosecond); ok {
				return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Microsecond, true
			}
			fromSecond = 0
		}
		fromMinute, fromSecond = 0, 0
	}
	return 0, false
}

// moment returns when a clock in loc first shows that date and time, and whether it ever
// does.
func moment(shown time.Time, loc *time.Location) (at time.Time, exists bool) {
	at = time.Date(shown.Year(), shown.Month(), shown.Day(), shown.Hour(), shown.Minute(), shown.Second(), shown.Nanosecond(), loc)
	if !shownBy(at, loc).Equal(shown) {
		return time.Time{}, false
	}
	began, _ := at.ZoneBounds()
	if began.IsZero() {
		return at, true
	}
	_, offset := at.Zone()
	_, earlier := began.Add(-1).Zone()
	if first := at.Add(time.Duration(offset-earlier) * time.Second); first.Before(began) {
		return first, true
	}
	return at, true
}
