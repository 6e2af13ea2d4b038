package points

import (
	"strconv"
	"strings"
	"time"
	"unicode"
)

// timeFormat is the format of times, with the zone.
const timeFormat = "2006-01-02 15:04:05 -07:00"

// timeJSON is the format of times in JSON.
const timeJSON = time.RFC3339Nano

// when formats a time in the machine's zone; "-" if it is unknown.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(timeFormat)
}

// shown formats a name for a terminal: quoted as in Go if it has invisible characters or is
// not UTF-8.
func shown(name string) string {
	odd := func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }
	if strings.ContainsFunc(name, odd) || strings.HasPrefix(name, `"`) {
		return strconv.Quote(name)
	}
	return name
}
