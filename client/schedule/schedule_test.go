package schedule_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/retention"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
)

func TestWhatAPlanSaysIsReadAgain(t *testing.T) {
	t.Parallel()
	fields := map[string]string{
		"keep_daily": "7", "keep_weekly": "-1", "keep_within": "1y2m3d4h", "all": "1", "except": "a1 b2", "parallel": "4",
		"deadline": "6h0m0s", "quiet": "22:30-06:00", "prune": "Sun 03:00", "check": "never", "drill": "monthly",
		"read_days": "90", "max_unused": "unlimited", "prune_limit": "1h0m0s", "paused": "2026-11-29T20:00:00Z",
		"paused_until": "2026-12-01T00:00:00Z", "timezone": "Europe/Rome", "random_delay": "30m0s", "no_catch_up": "1",
	}
	s := schedule.Parse("1", map[string]string{"schedule": "daily", "repository": "d", "enabled": "1", "instances": "a1 c3"}, fields)
	if err := s.Check(time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := s.Fields(); !maps.Equal(got, fields) {
		t.Errorf("it is written as %v, want %v", got, fields)
	}
	if want := (retention.Policy{Daily: 7, Weekly: retention.All, Within: retention.Span{Years: 1, Months: 2, Days: 3, Hours: 4}}); s.Policy() != want {
		t.Errorf("kept is %+v", s.Policy())
	}
	none := schedule.Parse("1", map[string]string{"schedule": "daily"}, nil)
	if fields := none.Fields(); len(fields) != 0 {
		t.Errorf("the default plan is written as %v", fields)
	}
	if none.Policy() != (retention.Policy{Last: 3}) {
		t.Errorf("without a word %+v is kept", none.Policy())
	}
}

func TestAScheduleThatIsWrongSaysAllThatIs(t *testing.T) {
	t.Parallel()
	s := schedule.Parse("7", map[string]string{"name": "nightly", "schedule": "dayly", "retention": "none"}, map[string]string{
		"keep_daily": "x", "parallel": "-1", "quiet": "8-9", "prune": "*-*-* 25:00", "check": "1999-01-01", "max_unused": "200%",
		"timezone": "Mars/Olympus", "deadline": "soon", "paused": "today", "all": "yes", "unheard": "1",
	})
	err := s.Check(time.Now())
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, word := range []string{
		"nightly", "dayly", "retention", "keep_daily", "parallel", "quiet", "time to prune", "time to check", "never comes",
		"max_unused", "timezone", "deadline", "paused", "all", "unheard",
	} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("nothing is said about %s: %v", word, err)
		}
	}
}

func TestQuietHours(t *testing.T) {
	t.Parallel()
	at := func(hour, minute int) time.Time { return time.Date(2026, 11, 30, hour, minute, 0, 0, time.UTC) }
	for text, want := range map[string][3]bool{ // at 05:59, 06:00 and 23:00
		"06:00-22:00": {false, true, false},
		"22:00-06:00": {true, false, true},
		"":            {false, false, false},
	} {
		h, err := schedule.ParseHours(text)
		if err != nil || h.String() != text {
			t.Errorf("%q is read as %q, %v", text, h, err)
		}
		if got := [3]bool{h.Contain(at(5, 59)), h.Contain(at(6, 0)), h.Contain(at(23, 0))}; got != want {
			t.Errorf("%q contains %v, want %v", text, got, want)
		}
	}
	for _, text := range []string{"6-22", "06:00", "24:00-06:00", "06:00-06:00", "06:60-07:00"} {
		if h, err := schedule.ParseHours(text); err == nil {
			t.Errorf("%q is taken as %s", text, h)
		}
	}
}

func TestTheDelayOfAScheduleIsItsOwn(t *testing.T) {
	t.Parallel()
	plan := map[string]string{"random_delay": "1h"}
	delays := map[time.Duration]bool{}
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		s := schedule.Parse(id, map[string]string{"schedule": "*-*-* 02:00 UTC", "repository": "d"}, plan)
		next := s.Next(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
		if delay := next.Sub(time.Date(2026, 12, 1, 2, 0, 0, 0, time.UTC)); delay != s.Delay() || delay < 0 || delay >= time.Hour {
			t.Errorf("schedule %s is delayed by %s, and then by %s", id, s.Delay(), delay)
		}
		if again := s.Next(next); again.Sub(next) != 24*time.Hour {
			t.Errorf("schedule %s runs again after %s", id, again.Sub(next))
		}
		delays[s.Delay()] = true
	}
	if len(delays) < 4 {
		t.Errorf("five schedules have the delays %v", delays)
	}
}

func TestWhatIsDue(t *testing.T) {
	t.Parallel()
	s := schedule.Parse("1", map[string]string{"schedule": "daily"}, nil)
	monday := time.Date(2026, 11, 30, 12, 0, 0, 0, time.Local)
	for name, c := range map[string]struct {
		calendar string
		last     time.Time
		want     bool
	}{
		"what was never done":                {"weekly", time.Time{}, true},
		"what was done since":                {"weekly", monday.Add(-time.Hour), false},
		"what was last done before it came":  {"weekly", monday.AddDate(0, 0, -1), true},
		"what is never to be done by itself": {schedule.Never, time.Time{}, false},
		"a calendar that cannot be read":     {"dayly", monday.AddDate(-1, 0, 0), false},
	} {
		if got := s.Due(c.calendar, c.last, monday); got != c.want {
			t.Errorf("%s: due is %t", name, got)
		}
	}
}
