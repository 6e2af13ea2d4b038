package calendar

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxInt is the largest number that systemd accepts.
const maxInt = 1<<31 - 1

// maxSpans bounds the values in a list.
const maxSpans = 240

var weekdays = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// Words are the words for complete events; the usual word for each comes first.
var Words = []string{"minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly"}

// word returns the event for a word.
func word(text string) (Event, bool) {
	zero := only(0)
	daily := Event{hour: zero, minute: zero, second: zero}
	on := func(month, day field) Event {
		e := daily
		e.month, e.day = month, day
		return e
	}
	switch strings.ToLower(text) {
	case "minutely":
		return Event{second: zero}, true
	case "hourly":
		return Event{minute: zero, second: zero}, true
	case "daily":
		return daily, true
	case "weekly":
		weekly := daily
		weekly.weekdays = 1
		return weekly, true
	case "monthly":
		return on(nil, only(1)), true
	case "quarterly":
		return on(each(1, 4, 7, 10), only(1)), true
	case "semiannually", "semi-annually", "biannually", "bi-annually":
		return on(each(1, 7), only(1)), true
	case "yearly", "annually", "anually":
		return on(only(1), only(1)), true
	}
	return Event{}, false
}

// Parse reads a calendar event. Its error says what is wrong with which part.
func Parse(text string) (*Event, error) {
	rest, zone, err := cutZone(text)
	if err != nil {
		return nil, err
	}
	if strings.Trim(rest, " ") == "" {
		return nil, errors.New("it is empty")
	}
	if e, ok := word(rest); ok {
		e.zone = zone
		return &e, nil
	}
	p := parser{rest: rest, event: Event{zone: zone}}
	if err := p.parse(); err != nil {
		return nil, err
	}
	if err := p.event.settle(); err != nil {
		return nil, err
	}
	return &p.event, nil
}

// cutZone cuts the name of a time zone off the end.
func cutZone(text string) (rest string, zone *time.Location, err error) {
	space := strings.LastIndexByte(text, ' ')
	if space < 0 {
		return text, nil, nil
	}
	name := text[space+1:]
	switch {
	case strings.EqualFold(name, "UTC"):
		return text[:space], time.UTC, nil
	case !looksLikeZone(name):
		return text, nil, nil
	}
	zone, err = time.LoadLocation(name)
	if err != nil {
		return "", nil, fmt.Errorf("%q is no time zone that is known here: give one such as UTC or Europe/Rome", name)
	}
	return text[:space], zone, nil
}

// looksLikeZone reports whether a last word can only be meant as a time zone. Names of
// weekdays can stand alone, so they do not.
func looksLikeZone(name string) bool {
	if name == "" || name == "Local" || !isLetter(name[0]) {
		return false
	}
	for _, day := range weekdays {
		if len(name) >= 3 && strings.EqualFold(name[:3], day[:3]) && !strings.Contains(name, "/") {
			return false
		}
	}
	_, isWord := word(name)
	return !isWord
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// parser reads an event from its beginning.
type parser struct {
	rest  string
	event Event
}

// at returns the next character, 0 at the end.
func (p *parser) at() byte {
	if p.rest == "" {
		return 0
	}
	return p.rest[0]
}

// take skips the next character if it is the given one.
func (p *parser) take(c byte) bool {
	if p.at() != c || c == 0 {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *parser) skipSpaces() { p.rest = strings.TrimLeft(p.rest, " ") }

func (p *parser) atOneOf(set string) bool {
	return p.rest == "" || strings.IndexByte(set, p.rest[0]) >= 0
}

func (p *parser) parse() error {
	if err := p.parseWeekdays(); err != nil {
		return err
	}
	if p.at() == '@' {
		return p.parseTimestamp()
	}
	if err := p.parseDate(); err != nil {
		return err
	}
	return p.parseTime()
}

// errWeekdays says what weekdays look like.
var errWeekdays = errors.New(`weekdays have the form Mon, Mon,Thu or Mon..Fri`)

// parseWeekdays reads a list of weekdays and ranges, if there is one.
func (p *parser) parseWeekdays() error {
	from := -1 // of a range
	for first := true; ; first = false {
		day := p.weekday()
		switch {
		case day < 0 && first:
			return nil
		case day < 0, !p.atOneOf("-., "), from > day:
			return errWeekdays
		}
		for d := max(from, 0); from >= 0 && d < day; d++ {
			p.event.weekdays |= 1 << d
		}
		p.event.weekdays |= 1 << day
		if p.atOneOf(" ") {
			p.skipSpaces()
			return nil
		}
		switch {
		case p.take(','):
			from = -1
		case from >= 0:
			return errWeekdays
		case strings.HasPrefix(p.rest, ".."):
			p.rest, from = p.rest[2:], day
		case p.take('-'):
			from = day
		default:
			return errWeekdays
		}
		if p.atOneOf(" ") { // behind a comma
			p.skipSpaces()
			if from >= 0 {
				return errWeekdays
			}
			return nil
		}
	}
}

// weekday parses the name of a weekday, and returns its number, -1 if there is none.
func (p *parser) weekday() int {
	for i, name := range weekdays {
		for _, form := range []string{name, name[:3]} {
			if len(p.rest) >= len(form) && strings.EqualFold(p.rest[:len(form)], form) {
				p.rest = p.rest[len(form):]
				return i
			}
		}
	}
	return -1
}

// parseTimestamp reads @SECONDS since 1970.
func (p *parser) parseTimestamp() error {
	p.take('@')
	digits := 0
	for digits < len(p.rest) && isDigit(p.rest[digits]) {
		digits++
	}
	if digits == 0 || digits > 12 || digits < len(p.rest) {
		return errors.New("@ is followed by seconds since 1970, and by nothing more")
	}
	var seconds int64
	for _, c := range p.rest[:digits] {
		seconds = seconds*10 + int64(c-'0')
	}
	t := time.Unix(seconds, 0).UTC()
	e := &p.event
	e.year, e.month, e.day = only(t.Year()), only(int(t.Month())), only(t.Day())
	e.hour, e.minute, e.second = only(t.Hour()), only(t.Minute()), only(t.Second()*secondUnit)
	e.zone = time.UTC
	return nil
}

// errDate says what dates look like.
var errDate = errors.New(`a date has the form YEAR-MONTH-DAY or MONTH-DAY, such as *-*-01`)

// parseDate parses an optional date: a number before a colon is a time.
func (p *parser) parseDate() error {
	if p.at() == 0 {
		return nil
	}
	before := p.rest
	first, err := p.parseField(1)
	if err != nil {
		return err
	}
	if p.at() == 0 || p.at() == ':' {
		p.rest = before
		return nil
	}
	end := p.at() == '~'
	if !p.take('~') && !p.take('-') {
		return errDate
	}
	second, err := p.parseField(1)
	if err != nil {
		return err
	}
	e := &p.event
	if p.atOneOf(" ") {
		p.skipSpaces()
		e.month, e.day, e.fromEnd = first, second, end
		return nil
	}
	if end {
		return errDate
	}
	end = p.at() == '~'
	if !p.take('~') && !p.take('-') {
		return errDate
	}
	third, err := p.parseField(1)
	if err != nil {
		return err
	}
	if !p.atOneOf(" ") {
		return errDate
	}
	p.skipSpaces()
	e.year, e.month, e.day, e.fromEnd = first, second, third, end
	return nil
}

// errTime says what times look like.
var errTime = errors.New(`a time has the form HOUR:MINUTE or HOUR:MINUTE:SECOND, such as 02:30`)

// parseTime parses a time; a missing one is midnight.
func (p *parser) parseTime() error {
	e := &p.event
	e.hour, e.minute, e.second = only(0), only(0), only(0)
	if p.at() == 0 {
		return nil
	}
	var err error
	if e.hour, err = p.parseField(1); err != nil {
		return err
	}
	if !p.take(':') {
		return errTime
	}
	if e.minute, err = p.parseField(1); err != nil || p.at() == 0 {
		return err
	}
	if !p.take(':') {
		return errTime
	}
	if e.second, err = p.parseField(secondUnit); err != nil {
		return err
	}
	if p.at() != 0 {
		return errTime
	}
	return nil
}

// parseField reads values, ranges and repetitions in a list, or *.
func (p *parser) parseField(unit int) (field, error) {
	if p.take('*') {
		if unit == secondUnit {
			return field{{0, -1, secondUnit}}, nil
		}
		return nil, nil
	}
	f := field{}
	for {
		s, err := p.parseSpan(unit)
		if err != nil {
			return nil, err
		}
		if f = append(f, s); len(f) > maxSpans {
			return nil, errors.New("it lists too many values")
		}
		if !p.take(',') {
			return f, nil
		}
	}
}

func (p *parser) parseSpan(unit int) (span, error) {
	s := span{stop: -1}
	var err error
	if s.start, err = p.parseNumber(unit); err != nil {
		return s, err
	}
	if strings.HasPrefix(p.rest, "..") {
		p.rest = p.rest[2:]
		if s.stop, err = p.parseNumber(unit); err != nil {
			return s, err
		}
		s.step = unit
	}
	if p.take('/') {
		if s.step, err = p.parseNumber(unit); err != nil {
			return s, err
		}
		if s.step == 0 {
			return s, errors.New("a repetition of 0 never comes")
		}
	} else if unit == secondUnit && s.stop >= 0 && s.start+s.step > s.stop {
		return s, errors.New("the range of seconds is shorter than a second")
	}
	if !p.atOneOf(" ,-~:") {
		return s, fmt.Errorf("%q is not expected here", p.rest)
	}
	return s, nil
}

// parseNumber reads a number, for seconds with a fraction.
func (p *parser) parseNumber(unit int) (int, error) {
	if !isDigit(p.at()) {
		if p.at() == 0 {
			return 0, errors.New("it ends where a number is expected")
		}
		return 0, fmt.Errorf("%q is no number", p.rest)
	}
	value := 0
	for isDigit(p.at()) {
		value = min(value*10+int(p.rest[0]-'0'), maxInt+1)
		p.rest = p.rest[1:]
	}
	value *= unit
	if unit == secondUnit && p.at() == '.' && !strings.HasPrefix(p.rest, "..") {
		p.rest = p.rest[1:]
		if !isDigit(p.at()) {
			return 0, errors.New("a fraction of a second has no digits")
		}
		value += p.parseFraction()
	}
	if value > maxInt {
		return 0, errors.New("a number is too large")
	}
	return value, nil
}

// parseFraction reads digits as microseconds, rounded.
func (p *parser) parseFraction() int {
	value := 0
	for range 6 {
		value *= 10
		if isDigit(p.at()) {
			value += int(p.rest[0] - '0')
			p.rest = p.rest[1:]
		}
	}
	if p.at() >= '5' && p.at() <= '9' {
		value++
	}
	for isDigit(p.at()) {
		p.rest = p.rest[1:]
	}
	return value
}

// settle completes an event, and checks the bounds of its values.
func (e *Event) settle() error {
	if e.weekdays == everyDay {
		e.weekdays = 0
	}
	if e.day == nil {
		e.fromEnd = false
	}
	for i := range e.year {
		e.year[i].start, e.year[i].stop = century(e.year[i].start), century(e.year[i].stop)
	}
	for _, part := range []struct {
		name        string
		field       field
		first, last int
		unit        int
	}{
		{"year", e.year, firstYear, lastYear, 1}, {"month", e.month, 1, 12, 1}, {"day", e.day, 1, 31, 1},
		{"hour", e.hour, 0, 23, 1}, {"minute", e.minute, 0, 59, 1}, {"second", e.second, 0, lastMicrosecond, secondUnit},
	} {
		fromEnd := part.name == "day" && e.fromEnd
		for i := range part.field {
			part.field[i].settle()
			if !part.field[i].valid(part.first, part.last, fromEnd) {
				return fmt.Errorf("%s %s is out of bounds: it is %d to %d, repetitions included", part.name,
					part.field[i:i+1].text(1, part.unit), part.first, part.last/part.unit)
			}
		}
	}
	return nil
}

// century completes a year of two digits.
func century(year int) int {
	switch {
	case year >= 0 && year < 70:
		return year + 2000
	case year >= 70 && year < 100:
		return year + 1900
	}
	return year
}

// settle ends a range at its last value. A range of one value becomes that value.
func (s *span) settle() {
	if s.stop > s.start && s.step > 0 {
		s.stop -= (s.stop - s.start) % s.step
	}
	if s.stop == s.start {
		s.stop, s.step = -1, 0
	}
}

// valid reports whether the span is within bounds, by systemd's rules: a repetition must
// occur at least once. Days from the end of a month are limited to 28.
func (s span) valid(first, last int, fromEnd bool) bool {
	if fromEnd {
		last -= 3
	}
	switch {
	case s.start < first, s.start > last, s.step > last-first:
		return false
	case s.stop >= 0:
		return s.stop >= first && s.stop <= last && s.start+s.step <= s.stop
	case fromEnd:
		return s.start-s.step >= first
	}
	return s.start+s.step <= last
}
