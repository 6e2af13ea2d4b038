package scheduler

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
)

const (
	// refresh is how often schedules are read, and the longest wait: a change of the clock
	// is noticed within that time.
	refresh = 15 * time.Second
	// soon is how late a run without catch-up may start.
	soon = 5 * time.Minute
	// clockSlack is how far the clock may be set back. Beyond that, it must have been wrong
	// before, and times that were handled in its future no longer count.
	clockSlack = time.Hour
	// tries is how often a run is started that ends without an outcome, for example by
	// SIGKILL.
	tries = 3
	// retryAfter is the pause before such a retry.
	retryAfter = time.Minute
)

// Result is how a run ended.
type Result struct {
	Status int
	// Err says that the run could not start, or was ended by a signal and so reported no
	// outcome.
	Err error
}

// Engine starts the runs of schedules. The fields are set before [Engine.Run].
type Engine struct {
	// Owner is the unique name of this scheduler process.
	Owner string
	Store Store
	// Start runs the schedule for a planned time, and returns when the run has ended. The
	// run must end early when ctx does.
	Start func(ctx context.Context, p Planned, planned time.Time) Result
	// Unfinished reports whether a run of a schedule was killed on this node before all its
	// work was done. Nil means never.
	Unfinished func(id string) bool
	// Record records outcomes. It keeps those that Redis does not accept.
	Record func(ctx context.Context, runs ...history.Run)
	// Now is the clock.
	Now func() time.Time
	// Notef prints a message for people.
	Notef func(format string, args ...any)
	// Parallel is how many runs may run at once.
	Parallel int
	// Known is updated after each change, for a start without Redis. Nil disables that.
	Known Memory

	single  bool // only one schedule; another program has its timer
	entries map[string]*entry
	running int
	ended   chan ended
	loaded  time.Time
	away    bool             // Redis is down
	dirty   bool             // Known is out of date
	kept    time.Time        // when Known was last updated
	unsaved map[string]State // states that Redis does not have yet
}

// Memory is what a node knows without Redis.
type Memory interface {
	Recall() ([]Planned, map[string]State, error)
	Keep(planned []Planned, states map[string]State) error
}

// entry is a schedule and its state.
type entry struct {
	Planned
	state   State
	next    time.Time // next planned time
	running bool      // on this node
	tries   int
	retry   time.Time // when to retry after a run without an outcome
	foreign bool      // another live scheduler runs it
	wrong   string    // reported mistake in the schedule
}

// dealtWith completes a state with the present times of the schedule.
func (x *entry) dealtWith(s State) State {
	s.When = whenOf(&x.Schedule)
	return s
}

// whenOf returns everything that the times of a schedule depend on.
func whenOf(s *schedule.Schedule) string {
	return s.When + "|" + s.TimeZone + "|" + s.RandomDelay.String()
}

type ended struct {
	id string
	Result
}

// Run starts runs until ctx ends. Then it cancels the running ones, and waits for them.
func (e *Engine) Run(ctx context.Context) error {
	e.prepare()
	runs, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			cancel()
			e.stop(context.WithoutCancel(ctx))
			return nil
		case end := <-e.ended:
			e.finish(ctx, end)
		case <-timer.C:
		}
		e.step(ctx, runs)
		e.keep(false)
		timer.Reset(e.wait())
	}
}

func (e *Engine) prepare() {
	e.entries, e.unsaved, e.ended = map[string]*entry{}, map[string]State{}, make(chan ended)
}

// step does everything that is due now.
func (e *Engine) step(ctx, runs context.Context) {
	now := e.Now()
	e.contact(ctx, now)
	var due []*entry
	for _, id := range slices.SortedFunc(maps.Keys(e.entries), names.CompareNumbers) {
		if x := e.entries[id]; e.consider(ctx, x, now) {
			due = append(due, x)
		}
	}
	slices.SortStableFunc(due, func(a, b *entry) int { return a.next.Compare(b.next) })
	for _, x := range due {
		if e.running >= max(1, e.Parallel) {
			return
		}
		e.begin(ctx, runs, x, now)
	}
}

// wait returns the time until something is due.
func (e *Engine) wait() time.Duration {
	now := e.Now()
	wait := refresh
	for _, x := range e.entries {
		if x.running || x.foreign || x.next.IsZero() {
			continue
		}
		if until := x.next.Sub(now); until > 0 {
			wait = min(wait, until)
		}
	}
	return wait
}
