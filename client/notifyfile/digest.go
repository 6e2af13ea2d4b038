package notifyfile

import (
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/calendar"
)

// When a digest is sent, where it is not a calendar of systemd's.
const (
	DefaultDigest = "07:00"
	// Never is not at all.
	Never = "never"
	// AfterRuns is one for each schedule, after its run.
	AfterRuns = "after runs"
)

// Digest is when people get a digest.
type Digest struct {
	// When is Never, AfterRuns, or a calendar in the form of systemd's OnCalendar.
	When string
}

func (d *Digest) set(text string) error {
	if text != Never && text != AfterRuns {
		if _, err := calendar.Parse(text); err != nil {
			return err
		}
	}
	d.When = text
	return nil
}

// Next is when it is due for the first time after a time; zero is never, by the clock.
func (d *Digest) Next(after time.Time) time.Time {
	event, err := calendar.Parse(d.When)
	if d.When == Never || d.When == AfterRuns || err != nil {
		return time.Time{}
	}
	return event.Next(after, time.Local)
}
