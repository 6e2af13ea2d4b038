package schedule

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Hours is a part of every day, from one time of day until before another, which may be on
// the next day. The zero value is empty.
type Hours struct{ From, To time.Duration } // since midnight

var hoursPattern = regexp.MustCompile(`^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$`)

// ParseHours parses hours such as 08:00-18:30; "" is the zero value.
func ParseHours(text string) (Hours, error) {
	if text == "" {
		return Hours{}, nil
	}
	found := hoursPattern.FindStringSubmatch(text)
	if found == nil {
		return Hours{}, errors.New("give hours such as 08:00-18:30")
	}
	clock := func(hours, minutes string) time.Duration {
		d, _ := time.ParseDuration(hours + "h" + minutes + "m") // two digits each
		return d
	}
	h := Hours{clock(found[1], found[2]), clock(found[3], found[4])}
	if h.From == h.To {
		return Hours{}, errors.New("the hours end where they begin: give two different times")
	}
	return h, nil
}

// String formats the hours for ParseHours.
func (h Hours) String() string {
	if h == (Hours{}) {
		return ""
	}
	clock := func(d time.Duration) string {
		return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
	}
	return clock(h.From) + "-" + clock(h.To)
}

// Contain reports whether a time is within the hours, by the clock in its time zone.
func (h Hours) Contain(at time.Time) bool {
	shown := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second
	if h.From <= h.To {
		return h.From <= shown && shown < h.To
	}
	return shown >= h.From || shown < h.To
}
