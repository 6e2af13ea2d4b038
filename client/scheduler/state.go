package scheduler

import (
	"context"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/schedule"
)

// State is the progress of a schedule on a node.
type State struct {
	// Planned is the last planned time that was handled.
	Planned time.Time `json:"planned"`
	// Owner is the scheduler that handles it; "" after an interrupted run.
	Owner string `json:"owner,omitempty"`
	// Started and Ended are the times of the run. Without Started, the time was not to run
	// or was missed.
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	Status  int       `json:"exit_status,omitempty"`
	// When is what the schedule's times depended on then.
	When string `json:"when,omitempty"`
}

// Beyond reports whether a time was handled. A state in the future comes from a wrong
// clock, and does not count.
func (s State) Beyond(planned, now time.Time) bool {
	return !s.Planned.Before(planned) && !s.Planned.After(now.Add(clockSlack))
}

// Begins reports whether a state starts an interrupted run again.
func (s State) Begins(interrupted State) bool {
	return s.Going() && interrupted.Going() && s.Planned.Equal(interrupted.Planned)
}

// Going reports whether a run started whose end is not known.
func (s State) Going() bool { return !s.Started.IsZero() && s.Ended.IsZero() }

// Planned is a schedule that concerns this node.
type Planned = schedule.Planned

// Store stores states for all schedulers of a node.
type Store interface {
	// Load returns the schedules of this node and their states, which may be missing.
	Load(ctx context.Context) ([]Planned, map[string]State, error)
	// Claim sets the schedule's state, unless that time was handled already or a live
	// scheduler is at work: then it returns the present state.
	Claim(ctx context.Context, id string, state State) (current State, claimed bool, err error)
	// Save sets the schedule's state, unless the present one is further on.
	Save(ctx context.Context, id string, state State) error
	// Beat reports that this scheduler is alive.
	Beat(ctx context.Context, owner string) error
	// Recorded reports whether the run for a time has an outcome for each module: then it
	// has ended, even if its scheduler could not note that.
	Recorded(ctx context.Context, p Planned, planned time.Time) (bool, error)
	// Alive returns which of the schedulers are alive.
	Alive(ctx context.Context, owners []string) (map[string]bool, error)
}
