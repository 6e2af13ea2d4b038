package history

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Kind is the kind of task that a run performs.
type Kind string

// The kinds.
const (
	Backup    Kind = "backup"
	Retention Kind = "retention"
	Prune     Kind = "prune"
	Check     Kind = "check"
	Drill     Kind = "drill"
)

// Kinds lists all kinds, in the order of a run.
var Kinds = []Kind{Backup, Retention, Prune, Check, Drill}

// Outcome is the result of a planned run.
type Outcome string

// The outcomes. Overdue is never recorded: callers derive it from the schedule.
const (
	Done    Outcome = "done"
	Partial Outcome = "partial" // a snapshot was made, but lacks the files listed in Missing
	Failed  Outcome = "failed"
	Missed  Outcome = "missed"  // nothing ran it
	Skipped Outcome = "skipped" // deliberately not run: paused, quiet hours, past the deadline
	Overdue Outcome = "overdue" // its time has passed and it has not ended yet
)

// Outcomes lists all outcomes that are recorded.
var Outcomes = []Outcome{Done, Partial, Failed, Missed, Skipped}

// Run is the outcome of one task: one module, one kind.
type Run struct {
	// ID is the ID of the schedule's run, shared by all of its outcomes ([NewID]). Records
	// with equal ID, module and kind count once.
	ID       string  `json:"id"`
	Schedule string  `json:"schedule"`
	Name     string  `json:"schedule_name,omitempty"`
	Node     string  `json:"node"`
	Module   string  `json:"module"`
	UUID     string  `json:"module_uuid,omitempty"`
	Kind     Kind    `json:"kind"`
	Outcome  Outcome `json:"outcome"`

	// Planned is the planned time; zero for a run started by hand.
	Planned time.Time `json:"planned,omitzero"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended"`

	Destination string `json:"destination,omitempty"`
	Repository  string `json:"repository,omitempty"` // APP/UUID
	Snapshot    string `json:"snapshot_id,omitempty"`
	Snapshots   int    `json:"snapshots,omitempty"` // in the repository

	Files uint64 `json:"files,omitempty"`
	// Bytes is the size of the snapshot, or how much was restored, read or freed.
	Bytes uint64 `json:"bytes,omitempty"`
	// Added is how much a backup added to the repository.
	Added uint64 `json:"bytes_added,omitempty"`

	// Error says what went wrong, or why the run was skipped.
	Error      string `json:"error,omitempty"`
	ExitStatus int    `json:"exit_status,omitempty"`
	// Missing lists files that could not be read and whatever else a snapshot lacks.
	Missing []string `json:"missing,omitempty"`
	// Detail is further information in a line, such as how much a drill compared.
	Detail string `json:"detail,omitempty"`
	// Part and Parts say which part of the repository's data a check read.
	Part  int `json:"part,omitempty"`
	Parts int `json:"parts,omitempty"`
}

// Duration returns how long the run took.
func (r *Run) Duration() time.Duration {
	if r.Started.IsZero() {
		return 0
	}
	return max(0, r.Ended.Sub(r.Started))
}

// NewID returns an ID for a run of a schedule that begins at a time.
func NewID(schedule string, at time.Time) string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // it never fails
	return fmt.Sprintf("%s-%s-%s", at.UTC().Format("20060102T150405Z"), schedule, hex.EncodeToString(random[:]))
}

// MissedID returns the ID of a planned run that nothing ran. It is the same no matter who
// records it.
func MissedID(schedule string, planned time.Time) string {
	return fmt.Sprintf("%s-%s-missed", planned.UTC().Format("20060102T150405Z"), schedule)
}

const (
	// maxError bounds a text, maxMissing a list: both are shown in tables.
	maxError   = 1000
	maxMissing = 20
)

// bounded returns the run in the size that is stored.
func (r Run) bounded() Run {
	r.Error = cut(r.Error)
	r.Detail = cut(r.Detail)
	if over := len(r.Missing) - maxMissing; over > 0 {
		r.Missing = append(append([]string{}, r.Missing[:maxMissing]...), fmt.Sprintf("and %d more", over))
	}
	return r
}

func cut(text string) string {
	if len(text) <= maxError {
		return text
	}
	return strings.ToValidUTF8(text[:maxError], "") + "…"
}

// key identifies a run for deduplication.
func (r *Run) key() [4]string { return [4]string{r.ID, r.Schedule, r.Module, string(r.Kind)} }

// newest compares runs, newest first.
func newest(a, b Run) int {
	return cmp.Or(b.Ended.Compare(a.Ended), strings.Compare(b.ID, a.ID), strings.Compare(a.Module, b.Module))
}
