// Package calendar reads the calendar events of systemd's OnCalendar=, such as
// "daily" or "Mon..Fri *-*-* 02:30", and computes when they occur.
//
// [Parse] accepts what "systemd-analyze calendar" accepts, and refuses what is refused
// there. One thing is left out: an abbreviation of the local time zone in place of a
// zone's name, since it means something else on another host. An [Event] occurs at the
// same moments as in systemd. [Expand] adds shortcuts such as "every 6h".
package calendar

import (
	"strconv"
	"strings"
	"time"
)

// Event is a calendar event. The zero value occurs every second; use [Parse].
type Event struct {
	// weekdays has a bit for each day, Monday being the lowest; 0 admits all.
	weekdays uint8
	// Years, months and so on that it occurs in; nil admits all.
	year, month, day, hour, minute field
	// second is in microseconds.
	second field
	// fromEnd counts days from the end of the month: 1 is the last one.
	fromEnd bool
	zone    *time.Location // nil: the local one
}

// The bounds of the parts of a date and a time.
const (
	firstYear, lastYear = 1970, 2199
	microsecond         = 1
	secondUnit          = 1_000_000 * microsecond
	lastMicrosecond     = 60*secondUnit - 1
	everyDay            = 1<<7 - 1
)

// span is a value, or several: from start to stop, or to the end where stop is
// negative, in steps. A step of zero is start alone.
type span struct{ start, stop, step int }

// field is what one part of a date or of a time may be.
type field []span

// only is the field of one value.
func only(value int) field { return field{{start: value, stop: -1}} }

// each is the field of those values.
func each(values ...int) field {
	var f field
	for _, value := range values {
		f = append(f, only(value)...)
	}
	return f
}

// next returns the first value from at on and not beyond last.
func (f field) next(at, last int) (value int, found bool) {
	if f == nil {
		return at, at <= last
	}
	for _, s := range f {
		if v, ok := s.next(at, last); ok && (!found || v < value) {
			value, found = v, true
		}
	}
	return value, found
}

func (s span) next(at, last int) (value int, found bool) {
	value = s.start
	if at > s.start {
		if s.step == 0 {
			return 0, false
		}
		value += (at - s.start + s.step - 1) / s.step * s.step
	}
	if s.stop >= 0 {
		last = min(last, s.stop)
	}
	return value, value <= last
}

// inMonth makes days that are counted from the end of a month ones of a month that
// has last days.
func (f field) inMonth(last int) field {
	turned := field{}
	for _, s := range f {
		t := span{start: last + 1 - s.start, stop: -1, step: s.step}
		if s.stop > 0 {
			t.start, t.stop = last+1-s.stop, t.start
		}
		turned = append(turned, t)
	}
	return turned
}

// String returns the event in the form that Parse reads, with all its parts.
func (e *Event) String() string {
	var text strings.Builder
	if e.weekdays != 0 {
		text.WriteString(e.weekdayText() + " ")
	}
	separator := "-"
	if e.fromEnd {
		separator = "~"
	}
	text.WriteString(e.year.text(4, 1) + "-" + e.month.text(2, 1) + separator + e.day.text(2, 1))
	text.WriteString(" " + e.hour.text(2, 1) + ":" + e.minute.text(2, 1) + ":" + e.second.text(2, secondUnit))
	if e.zone != nil {
		text.WriteString(" " + e.zone.String())
	}
	return text.String()
}

func (e *Event) weekdayText() string {
	var days []string
	for i, name := range weekdays {
		if e.weekdays&(1<<i) != 0 {
			days = append(days, name[:3])
		}
	}
	return strings.Join(days, ",")
}

// text writes the field, with values of that many digits, in parts of the unit.
func (f field) text(digits, unit int) string {
	if f == nil || unit == secondUnit && len(f) == 1 && f[0] == (span{0, -1, secondUnit}) {
		return "*"
	}
	number := func(value int) string {
		text := strconv.Itoa(value / unit)
		text = strings.Repeat("0", max(0, digits-len(text))) + text
		if rest := value % unit; rest != 0 {
			fraction := strconv.Itoa(unit + rest)[1:]
			text += "." + strings.TrimRight(fraction, "0")
		}
		return text
	}
	parts := make([]string, len(f))
	for i, s := range f {
		parts[i] = number(s.start)
		if s.stop >= 0 {
			parts[i] += ".." + number(s.stop)
		}
		if s.step > 0 && (s.stop < 0 || s.step != unit) {
			parts[i] += "/" + strings.TrimPrefix(number(s.step), "0")
		}
	}
	return strings.Join(parts, ",")
}
