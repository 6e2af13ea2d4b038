package notifyfile

import (
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/calendar"
)

// Values of Digest.When that are not calendar expressions.
const (
	DefaultDigest = "07:00"
	// Never means no digest.
	Never = "never"
	// AfterRuns means one digest for each schedule after its run.
	AfterRuns = "after runs"
)

// Digest says when people get a digest.
type Digest struct {
	// When is Never, AfterRuns, or a calendar expression as in systemd's OnCalendar.
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

// Next returns when it is first due after a time; zero if not at a fixed time.
func (d *Digest) Next(after time.Time) time.Time {
	event, err := calendar.Parse(d.When)
	if d.When == Never || d.When == AfterRuns || err != nil {
		return time.Time{}
	}
	return event.Next(after, time.Local)
}
