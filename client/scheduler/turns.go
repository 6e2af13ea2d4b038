package scheduler

import (
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/schedule"
)

// mostTurns bounds the missed times that are recorded individually.
const mostTurns = 20

// turns returns the planned times of a schedule after one time and up to another, in order,
// and not more than the newest few.
func turns(s *schedule.Schedule, after, until time.Time) []time.Time {
	for window := time.Minute; ; window *= 2 {
		from := until.Add(-window)
		whole := !from.After(after) || window > 1<<60
		if whole {
			from = after
		}
		found := turnsBetween(s, from, until)
		if whole || len(found) >= mostTurns {
			return found[max(0, len(found)-mostTurns):]
		}
	}
}

func turnsBetween(s *schedule.Schedule, after, until time.Time) []time.Time {
	var found []time.Time
	for at := s.Next(after); !at.IsZero() && !at.After(until); at = s.Next(at) {
		found = append(found, at)
		if len(found) == 2*mostTurns {
			found = append(found[:0], found[mostTurns:]...)
		}
	}
	return found
}
