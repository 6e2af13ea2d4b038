package page

import (
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/status"
)

// Action is something that the page does, before it is done and afterwards.
type Action struct {
	Name  string // of the action
	Title string
	What  string // will happen
	Back  string // path of the page that it was asked for on

	// What it is about, as far as it has a meaning.
	Schedule, Destination, Repository, Attention string
	For                                          time.Duration // a pause; 0 is without an end
	Since                                        time.Duration // how long ago deleted objects went at most

	// Said is what came of it, and Failed that it did not work.
	Said   string
	Lines  []string
	Failed bool
}

// Object is what it is about, for the audit log.
func (a *Action) Object() string {
	switch {
	case a.Schedule != "":
		return "schedule " + a.Schedule
	case a.Attention != "":
		return a.Attention
	}
	return ""
}

// Choice is one of some answers.
type Choice struct{ Value, Word string }

// Pauses are how long a schedule can be paused.
func (*Action) Pauses() []Choice {
	return []Choice{{"24h", "for a day"}, {"168h", "for a week"}, {"", "until somebody resumes it"}}
}

// Sinces are how far back deleted objects can be restored.
func (*Action) Sinces() []Choice {
	return []Choice{{"1h", "the last hour"}, {"24h", "the last day"}, {"168h", "the last week"}, {"720h", "the last 30 days"}}
}

// RunLog is what one run came to, and what it said about each module.
type RunLog struct {
	ID    string
	Lines map[string][]string // by module
}

// Said are the modules of a run with what it said about them, in the order of the runs.
func (p *Page) Said() []ModuleLog {
	var all []ModuleLog
	seen := map[string]bool{}
	for i := range p.Runs {
		module := p.Runs[i].Module
		if !seen[module] {
			seen[module] = true
			all = append(all, ModuleLog{p.ModuleName(module), p.Log.Lines[module]})
		}
	}
	return all
}

// ModuleLog is what a run said about a module.
type ModuleLog struct {
	Name  string
	Lines []string
}

// RunPath is the page of a run, "" where it has none.
func (p *Page) RunPath(r *status.Run) string {
	if r.ID == "" || r.Schedule == "" {
		return ""
	}
	return Base + "/runs/" + r.ID + "?schedule=" + r.Schedule
}
