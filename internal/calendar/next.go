package calendar

import "time"

// Next returns the first moment after the given one at which the event occurs, in
// the event's time zone or else in loc. It is the zero time where there is none.
//
// Where the clock is put forward, an event within the hour that is left out occurs at
// the moment of the change: systemd would leave it out that day. Where the clock is
// put back, an event within the hour that comes twice occurs the first time.
func (e *Event) Next(after time.Time, loc *time.Location) time.Time {
	if e.zone != nil {
		loc = e.zone
	}
	after = after.In(loc)
	// The search is in the dates and times that a clock shows, which UTC stands for.
	shown := time.Date(after.Year(), after.Month(), after.Day(), after.Hour(), after.Minute(), after.Second(), after.Nanosecond(), time.UTC)
	for {
		shown = shown.Truncate(time.Microsecond).Add(time.Microsecond)
		var found bool
		if shown, found = e.nextShown(shown); !found {
			return time.Time{}
		}
		if at := moment(shown, loc); at.After(after) {
			return at
		}
	}
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

// inMonth is nextShown within a month, from a day on.
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

// nextTime returns the first time of a day from one on that the event matches, both
// as what has passed of the day.
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

// moment returns when a clock in loc shows that date and time: the first time, or
// where it never does the moment at which it skips it.
func moment(shown time.Time, loc *time.Location) time.Time {
	at := time.Date(shown.Year(), shown.Month(), shown.Day(), shown.Hour(), shown.Minute(), shown.Second(), shown.Nanosecond(), loc)
	_, offset := at.Zone()
	began, ends := at.ZoneBounds()
	switch off := at.Add(time.Duration(offset) * time.Second).UTC().Sub(shown); {
	case off > 0: // the clock was put forward before
		return began
	case off < 0: // it is about to be
		return ends
	case began.IsZero():
		return at
	}
	_, earlier := began.Add(-1).Zone()
	if first := at.Add(time.Duration(offset-earlier) * time.Second); first.Before(began) {
		return first
	}
	return at
}
