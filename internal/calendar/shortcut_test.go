package calendar

import (
	"strings"
	"testing"
	"time"
)

func TestShortcutsStandForEvents(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"daily":                 "daily",
		"Mon 02:30":             "Mon 02:30",
		"every 15m":             "*-*-* *:00/15:00",
		"every 1m":              "*-*-* *:*:00",
		"Every minute":          "*-*-* *:*:00",
		"every 60m":             "*-*-* *:00:00",
		"every 6h":              "*-*-* 00/6:00:00",
		"every  6hours":         "*-*-* 00/6:00:00",
		"every 6h Europe/Rome":  "*-*-* 00/6:00:00 Europe/Rome",
		"every 1440m":           "*-*-* 00:00:00",
		"every 24h":             "*-*-* 00:00:00",
		"every day":             "*-*-* 00:00:00",
		"everything 6h":         "everything 6h",
		"every 12minutes UTC":   "*-*-* *:00/12:00 UTC",
		" every h":              "*-*-* *:00:00",
		"*-*-* 00/6:00:00":      "*-*-* 00/6:00:00",
		"Sat *-*-1..7 18:00:00": "Sat *-*-1..7 18:00:00",
	} {
		got, err := Expand(text)
		if err != nil || got != want {
			t.Errorf("%q is %q, %v; want %q", text, got, err, want)
		}
		if !strings.Contains(strings.ToLower(text), "every ") {
			continue
		}
		if _, err := Parse(got); err != nil {
			t.Errorf("%q is %q: %v", text, got, err)
		}
	}
}

func TestShortcutsThatKeepNoEqualGapsAreRefused(t *testing.T) {
	t.Parallel()
	for text, why := range map[string]string{
		"every":                       `such as "every 15m"`,
		"every 6":                     `such as "every 15m"`,
		"every 6 h":                   "number of minutes, hours or days",
		"every 0h":                    "number of minutes, hours or days",
		"every -6h":                   "number of minutes, hours or days",
		"every 6x":                    "number of minutes, hours or days",
		"every 7h":                    "do not divide a day: take 1, 2, 3",
		"every 48h":                   "do not divide a day",
		"every 7m":                    "do not divide an hour",
		"every 90m":                   "do not divide an hour",
		"every 2d":                    "name the days",
		"every 6h Rome extra":         "number of minutes, hours or days",
		"every 99999999999999999h":    "do not divide a day",
		"every 99999999999999999999h": "number of minutes, hours or days",
		"every hour hour hour hour":   "number of minutes, hours or days",
	} {
		if got, err := Expand(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q is %q, %v; want an error with %q", text, got, err, why)
		}
	}
}

func TestADayThatTheClockSkipsIsFound(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	after := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"02:30":                  "2026-03-29",
		"*-*-* 02:00/15":         "2026-03-29",
		"02:00":                  "2026-03-29",
		"03:00":                  "",
		"hourly":                 "",
		"*:0/15":                 "",
		"02:30 UTC":              "",
		"02:30 America/New_York": "2026-03-08",
		"Mon 02:30":              "",
		"Sun 02:30":              "2026-03-29",
		"00,02:30":               "",
		"02:30 Europe/Rome":      "2026-03-29",
	} {
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		day, skipped := e.NextSkipped(after, after.AddDate(1, 0, 0), berlin)
		got := ""
		if skipped {
			got = day.Format(time.DateOnly)
		}
		if got != want {
			t.Errorf("%q is skipped on %q, want %q", text, got, want)
		}
	}
}
