package calendar

import (
	"strings"
	"testing"
	"time"
)

func TestWhatIsNoCalendarEventIsRefused(t *testing.T) {
	t.Parallel()
	for text, why := range map[string]string{
		"":                           "empty",
		" ":                          "empty",
		"dayly":                      "is no number",
		"*-*-* 25:99":                "hour 25 is out of bounds: it is 0 to 23",
		"*-*-* 02:99":                "minute 99 is out of bounds",
		"*-13-01":                    "month 13 is out of bounds",
		"02":                         "a time has the form",
		"2:30:15.x":                  "no digits",
		"*-*":                        "",
		"Mon..":                      "weekdays",
		"Fri..Mon":                   "weekdays",
		"Mon,Son":                    "weekdays",
		"every day":                  "time zone",
		"daily Europe/Atlantis":      "no time zone",
		"*-*-* 02:00 UTC extra":      "time zone",
		"*-*-* 0/0:00":               "never comes",
		"*:0/61":                     "minute",
		"1969-01-01":                 "year",
		"*-*~30":                     "day",
		"99999999999999999999-01-01": "too large",
		"@":                          "seconds since 1970",
	} {
		e, err := Parse(text)
		switch {
		case text == "*-*":
			if err != nil {
				t.Errorf("%q: %v", text, err)
			}
		case err == nil:
			t.Errorf("%q is taken for %s", text, e)
		case !strings.Contains(err.Error(), why):
			t.Errorf("%q: %v, want %q in it", text, err, why)
		}
	}
}

// TestEventsOccurWhenTheyShould has what systemd-analyze 252 says, too.
func TestEventsOccurWhenTheyShould(t *testing.T) {
	t.Parallel()
	after := time.Date(2026, time.November, 29, 21, 25, 39, 0, time.UTC)
	for _, tt := range []struct{ text, form, next string }{
		{"minutely", "*-*-* *:*:00", "2026-11-29 21:26:00"},
		{"hourly", "*-*-* *:00:00", "2026-11-29 22:00:00"},
		{"daily", "*-*-* 00:00:00", "2026-11-30 00:00:00"},
		{"WEEKLY", "Mon *-*-* 00:00:00", "2026-11-30 00:00:00"},
		{"monthly", "*-*-01 00:00:00", "2026-12-01 00:00:00"},
		{"quarterly", "*-01,04,07,10-01 00:00:00", "2027-01-01 00:00:00"},
		{"semi-annually", "*-01,07-01 00:00:00", "2027-01-01 00:00:00"},
		{"annually", "*-01-01 00:00:00", "2027-01-01 00:00:00"},
		{"02:30", "*-*-* 02:30:00", "2026-11-30 02:30:00"},
		{"Mon..Fri 22:00", "Mon,Tue,Wed,Thu,Fri *-*-* 22:00:00", "2026-11-30 22:00:00"},
		{"Sat,Sun *-*-* 3:00", "Sat,Sun *-*-* 03:00:00", "2026-12-05 03:00:00"},
		{"*:0/15", "*-*-* *:00/15:00", "2026-11-29 21:30:00"},
		{"*-*~1", "*-*~01 00:00:00", "2026-11-30 00:00:00"},
		{"*-02~03..05", "*-02~03..05 00:00:00", "2027-02-24 00:00:00"},
		{"*-*-* 8..18/2:00", "*-*-* 08..18/2:00:00", "2026-11-30 08:00:00"},
		{"24-02-29", "2024-02-29 00:00:00", ""},
		{"*-02-29", "*-02-29 00:00:00", "2028-02-29 00:00:00"},
		{"*-02-30", "*-02-30 00:00:00", ""},
		{"*:*:*", "*-*-* *:*:*", "2026-11-29 21:25:40"},
		{"*:*:0.5", "*-*-* *:*:00.5", "2026-11-29 21:26:00"},
		{"@1800000000", "2027-01-15 08:00:00 UTC", "2027-01-15 08:00:00"},
		{"*-*-* 10:00 Europe/Rome", "*-*-* 10:00:00 Europe/Rome", "2026-11-30 09:00:00"},
	} {
		e, err := Parse(tt.text)
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		if got := e.String(); got != tt.form {
			t.Errorf("%q is %q, want %q", tt.text, got, tt.form)
		}
		next := ""
		if at := e.Next(after, time.UTC); !at.IsZero() {
			next = at.UTC().Format(time.DateTime)
		}
		if next != tt.next {
			t.Errorf("%q occurs at %q, want %q", tt.text, next, tt.next)
		}
	}
}

// TestWhenTheClockChanges: in Berlin 02:00 to 03:00 is left out on 29 March 2026, and
// comes twice on 25 October.
func TestWhenTheClockChanges(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		text, after string
		want        []string
	}{
		{"02:30", "2026-03-27T12:00:00Z", []string{"2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"}},
		{"02:30", "2026-10-23T12:00:00Z", []string{"2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		{"02:30", "2026-10-25T00:45:00Z", []string{"2026-10-26T01:30:00Z"}},
		{"*:0/30", "2026-03-29T00:31:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"}},
		{"hourly", "2026-10-24T23:30:00Z", []string{"2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"}},
		{"02:30 UTC", "2026-03-28T12:00:00Z", []string{"2026-03-29T02:30:00Z"}},
	} {
		e, err := Parse(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, tt.after)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tt.want {
			at = e.Next(at, berlin)
			if got := at.UTC().Format(time.RFC3339); got != want {
				t.Errorf("%q after %s occurs at %s, want %s", tt.text, tt.after, got, want)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"daily", "Mon..Fri *-*-* 02:30", "*-*~07/1 0/6:00:00.25", "@1 ", "24-2~3..5", "Mon, *:*", "2:3 Europe/Rome"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(e.String())
		if err != nil {
			t.Fatalf("%q is %q, which is refused: %v", text, e, err)
		}
		if again.String() != e.String() {
			t.Fatalf("%q is %q, and that %q", text, e, again)
		}
		after := time.Date(2026, time.March, 4, 5, 6, 7, 8, time.UTC)
		at := e.Next(after, time.UTC)
		if !at.Equal(again.Next(after, time.UTC)) {
			t.Fatalf("%q and %q occur at different times", text, e)
		}
		if !at.IsZero() && !at.After(after) {
			t.Fatalf("%q occurs at %s, which is past", text, at)
		}
	})
}
