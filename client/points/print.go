package points

import (
	"strconv"
	"strings"
	"time"
	"unicode"
)

// timeFormat shows a time with its zone.
const timeFormat = "2006-01-02 15:04:05 -07:00"

// timeJSON shows a time to programs.
const timeJSON = time.RFC3339Nano

// when shows a time with its zone, which is that of the machine; "-" where it is not known.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(timeFormat)
}

// shown is a name as a terminal may have it: in quotes, as in Go, where a character of it
// would not be seen, or where it is not UTF-8.
func shown(name string) string {
	odd := func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }
	if strings.ContainsFunc(name, odd) || strings.HasPrefix(name, `"`) {
		return strconv.Quote(name)
	}
	return name
}
