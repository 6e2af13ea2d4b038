package page

import (
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/status"
)

// Action is an action of the page, before or after it is performed.
type Action struct {
	Name  string // of the action
	Title string
	What  string // description of what will happen
	Back  string // path of the page to return to

	// The subject of the action; unused fields are empty.
	Schedule, Destination, Repository, Attention string
	For                                          time.Duration // length of a pause; 0 is unlimited
	Since                                        time.Duration // restore what was deleted within that time

	// Said is the result, Failed reports a failure.
	Said   string
	Lines  []string
	Failed bool
}

// Object returns the subject for the audit log.
func (a *Action) Object() string {
	switch {
	case a.Schedule != "":
		return "schedule " + a.Schedule
	case a.Attention != "":
		return a.Attention
	}
	return ""
}

// Choice is one of several possible answers.
type Choice struct{ Value, Word string }

// Pauses are the possible lengths of a pause.
func (*Action) Pauses() []Choice {
	return []Choice{{"24h", "for a day"}, {"168h", "for a week"}, {"", "until somebody resumes it"}}
}

// Sinces are the possible times for restoring deleted objects.
func (*Action) Sinces() []Choice {
	return []Choice{{"1h", "the last hour"}, {"24h", "the last day"}, {"168h", "the last week"}, {"720h", "the last 30 days"}}
}

// RunLog is the outcome of a run, and its output for each module.
type RunLog struct {
	ID    string
	Lines map[string][]string // by module
}

// Said returns the modules of a run with their output, in the order of the runs.
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

// ModuleLog is the output of a run for a module.
type ModuleLog struct {
	Name  string
	Lines []string
}

// RunPath returns the path of a run's page, "" if it has none.
func (p *Page) RunPath(r *status.Run) string {
	if r.ID == "" || r.Schedule == "" {
		return ""
	}
	return Base + "/runs/" + r.ID + "?schedule=" + r.Schedule
}
