package scheduler

import (
	"context"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/schedule"
)

// State is how far a schedule has come on a node.
type State struct {
	// Planned is the last time that the schedule was planned for and that was dealt with.
	Planned time.Time `json:"planned"`
	// Owner is the scheduler that deals with it; "" is none, where a run was interrupted.
	Owner string `json:"owner,omitempty"`
	// Started and Ended are of the run; one that ended without having started was not to
	// run, or was missed.
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	Status  int       `json:"exit_status,omitempty"`
	// When is what the schedule's times depended on then.
	When string `json:"when,omitempty"`
}

// Beyond reports whether a time was dealt with. A state of the future is that of a clock
// that was wrong, and says nothing.
func (s State) Beyond(planned, now time.Time) bool {
	return !s.Planned.Before(planned) && !s.Planned.After(now.Add(clockSlack))
}

// Begins reports whether a state is that of a run that was interrupted, begun again.
func (s State) Begins(interrupted State) bool {
	return s.Going() && interrupted.Going() && s.Planned.Equal(interrupted.Planned)
}

// Going reports whether a run was started of which nobody knows that it ended.
func (s State) Going() bool { return !s.Started.IsZero() && s.Ended.IsZero() }

// Planned is a schedule that has something to do on this node.
type Planned = schedule.Planned

// Store keeps states where all schedulers of a node see them.
type Store interface {
	// Load returns the schedules of this node and their states, which may be missing.
	Load(ctx context.Context) ([]Planned, map[string]State, error)
	// Claim makes a state the schedule's, unless that time was dealt with already, or a
	// scheduler that is alive is at work: then it returns what the state is.
	Claim(ctx context.Context, id string, state State) (current State, claimed bool, err error)
	// Save makes a state the schedule's where nobody has gone beyond it.
	Save(ctx context.Context, id string, state State) error
	// Beat says that this scheduler is alive.
	Beat(ctx context.Context, owner string) error
	// Recorded reports whether the run for a time has an outcome of each module: it ended,
	// though nobody noted that.
	Recorded(ctx context.Context, p Planned, planned time.Time) (bool, error)
	// Alive returns which of these schedulers are.
	Alive(ctx context.Context, owners []string) (map[string]bool, error)
}
