// Package calendar reads the calendar events of systemd's OnCalendar=, such as
// "daily" or "Mon..Fri *-*-* 02:30", and computes when they occur.
//
// [Parse] accepts what "systemd-analyze calendar" accepts, except for an abbreviation of
// the local time zone instead of a zone's name, since it means something else on other
// hosts. An [Event] occurs at the same times as in systemd. [Expand] adds shortcuts such as
// "every 6h".
package calendar

import (
	"strconv"
	"strings"
	"time"
)

// Event is a calendar event. The zero value occurs every second; use [Parse].
type Event struct {
	// weekdays has a bit for each day, starting with Monday; 0 allows all.
	weekdays uint8
	// The years, months and so on in which it occurs; nil allows all.
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

// span is one or several values: from start to stop in steps, without end if stop is
// negative. A step of zero means start alone.
type span struct{ start, stop, step int }

// field holds the possible values of a part of a date or a time.
type field []span

// only returns the field with one value.
func only(value int) field { return field{{start: value, stop: -1}} }

// each returns the field with the given values.
func each(values ...int) field {
	var f field
	for _, value := range values {
		f = append(f, only(value)...)
	}
	return f
}

// next returns the first value from at to last.
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

// inMonth converts days that are counted from the end of a month to days of a month with
// last days.
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

// String formats the event with all its parts, for Parse.
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

// text formats the field, with values of that many digits, in parts of the unit.
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
