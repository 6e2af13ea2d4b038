package history

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Kind is what was run.
type Kind string

// The kinds.
const (
	Backup    Kind = "backup"
	Retention Kind = "retention"
	Prune     Kind = "prune"
	Check     Kind = "check"
	Drill     Kind = "drill"
)

// Kinds are all kinds, in the order of a run.
var Kinds = []Kind{Backup, Retention, Prune, Check, Drill}

// Outcome is what a planned run came to.
type Outcome string

// The outcomes. Overdue is never recorded: it is what [Latest] says of now.
const (
	Done    Outcome = "done"
	Partial Outcome = "partial" // a snapshot was made that lacks something, which is listed
	Failed  Outcome = "failed"
	Missed  Outcome = "missed"  // nobody ran it
	Skipped Outcome = "skipped" // it was not to run: paused, quiet hours, past the deadline
	Overdue Outcome = "overdue" // it is planned for a time that has passed, and did not end yet
)

// Outcomes are all outcomes that are recorded.
var Outcomes = []Outcome{Done, Partial, Failed, Missed, Skipped}

// Run is the outcome of one planned thing: one module, one kind.
type Run struct {
	// ID is that of the run of a schedule, which all of its outcomes share ([NewID]). What
	// is recorded twice under one ID, module and kind counts once.
	ID       string  `json:"id"`
	Schedule string  `json:"schedule"`
	Name     string  `json:"schedule_name,omitempty"`
	Node     string  `json:"node"`
	Module   string  `json:"module"`
	UUID     string  `json:"module_uuid,omitempty"`
	Kind     Kind    `json:"kind"`
	Outcome  Outcome `json:"outcome"`

	// Planned is when it was to begin; zero where somebody ran it by hand.
	Planned time.Time `json:"planned,omitzero"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended"`

	Destination string `json:"destination,omitempty"`
	Repository  string `json:"repository,omitempty"` // APP/UUID
	Snapshot    string `json:"snapshot_id,omitempty"`
	Snapshots   int    `json:"snapshots,omitempty"` // that the repository holds

	Files uint64 `json:"files,omitempty"`
	// Bytes are what the snapshot holds, or what was restored, read or freed.
	Bytes uint64 `json:"bytes,omitempty"`
	// Added is what a backup added to the repository.
	Added uint64 `json:"bytes_added,omitempty"`

	// Error says what went wrong, or why it was skipped.
	Error      string `json:"error,omitempty"`
	ExitStatus int    `json:"exit_status,omitempty"`
	// Missing are the files that could not be read, and what else a snapshot lacks.
	Missing []string `json:"missing,omitempty"`
	// Detail is what else is to be said in a line, such as how much a drill compared.
	Detail string `json:"detail,omitempty"`
	// Part and Parts say which part of the repository's data a check has read.
	Part  int `json:"part,omitempty"`
	Parts int `json:"parts,omitempty"`
}

// Duration is how long it took.
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

// MissedID returns the ID for a run that was planned for a time and that nobody ran: the
// same whoever finds that out.
func MissedID(schedule string, planned time.Time) string {
	return fmt.Sprintf("%s-%s-missed", planned.UTC().Format("20060102T150405Z"), schedule)
}

const (
	// maxError bounds a text, maxMissing a list: they are for people to read in a table.
	maxError   = 1000
	maxMissing = 20
)

// bounded returns the run as it is kept.
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

// key is what a run is counted once by.
func (r *Run) key() [4]string { return [4]string{r.ID, r.Schedule, r.Module, string(r.Kind)} }

// newest orders runs, the newest first.
func newest(a, b Run) int {
	return cmp.Or(b.Ended.Compare(a.Ended), strings.Compare(b.ID, a.ID), strings.Compare(a.Module, b.Module))
}
