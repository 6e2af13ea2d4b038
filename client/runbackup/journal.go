package runbackup

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// resumable is the age up to which a killed run is continued, unless the caller says for
// which time the new run was planned.
const resumable = 12 * time.Hour

// journal is the state of a run in progress, or of a killed one: a file in the node's state
// directory that is deleted at the end of the run.
type journal struct {
	ID      string    `json:"id"`
	Planned time.Time `json:"planned,omitzero"`
	Started time.Time `json:"started"`
	// Modules lists the modules of the run; Done holds outcomes by module and kind.
	Modules []module                                    `json:"modules"`
	Done    map[string]map[history.Kind]history.Outcome `json:"done"`
	// Due lists what is due for a module's repository, once that is known.
	Due map[string][]history.Kind `json:"due,omitempty"`
	// Chosen lists the modules that the command line named; empty means all.
	Chosen []string `json:"chosen,omitempty"`
	// Drills lists the modules chosen for a drill; nil before that choice.
	Drills []string `json:"drills,omitempty"`

	file string
	mu   sync.Mutex
}

// readJournal reads the journal of a killed run; nil if there is none.
func readJournal(dir, schedule string) (*journal, error) {
	j := &journal{file: history.JournalFile(dir, schedule)}
	text, err := os.ReadFile(j.file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil //nolint:nilnil // usually no run was killed
	case err != nil:
		return nil, err
	}
	if err := json.Unmarshal(text, j); err != nil {
		return nil, fmt.Errorf("%s: %w", j.file, err)
	}
	if j.Done == nil {
		j.Done = map[string]map[history.Kind]history.Outcome{}
	}
	return j, nil
}

// newJournal begins the journal of a run.
func newJournal(dir, schedule string, planned, now time.Time, modules []module) *journal {
	return &journal{
		ID: history.NewID(schedule, now), Planned: planned, Started: now, Modules: modules,
		Done: map[string]map[history.Kind]history.Outcome{}, file: history.JournalFile(dir, schedule),
	}
}

// goesOn reports whether a run that starts now continues the killed one.
func (j *journal) goesOn(planned time.Time, chosen []string, now time.Time) bool {
	switch {
	case !slices.Equal(slices.Sorted(slices.Values(chosen)), slices.Sorted(slices.Values(j.Chosen))):
		return false
	case !planned.IsZero() || !j.Planned.IsZero():
		return planned.Equal(j.Planned)
	}
	return now.Sub(j.Started) < resumable && !now.Before(j.Started)
}

// plan notes what is due for a module's repository.
func (j *journal) plan(m string, due []history.Kind) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.Due == nil {
		j.Due = map[string][]history.Kind{}
	}
	j.Due[m] = due
	return j.save()
}

// due returns what was noted as due for a module's repository.
func (j *journal) due(m string) []history.Kind {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.Due[m])
}

// owed returns the kinds for which a module has no outcome yet.
func (j *journal) owed(m *module) []history.Kind {
	j.mu.Lock()
	defer j.mu.Unlock()
	done := j.Done[m.ID]
	switch backup := done[history.Backup]; {
	case backup == "":
		return []history.Kind{history.Backup}
	case backup == history.Skipped || m.Gone:
		return nil
	}
	var owed []history.Kind
	for _, kind := range history.Kinds {
		due := kind == history.Retention || slices.Contains(j.Due[m.ID], kind) || kind == history.Drill && slices.Contains(j.Drills, m.ID)
		if due && done[kind] == "" {
			owed = append(owed, kind)
		}
	}
	return owed
}

// note notes an outcome; it is on disk when note returns.
func (j *journal) note(m string, kind history.Kind, outcome history.Outcome) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.Done[m] == nil {
		j.Done[m] = map[history.Kind]history.Outcome{}
	}
	j.Done[m][kind] = outcome
	return j.save()
}

// chooseDrills notes the modules to drill; they are on disk when it returns.
func (j *journal) chooseDrills(modules []string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.Drills = modules
	return j.save()
}

// outcome returns the outcome for a module and a kind, "" if there is none.
func (j *journal) outcome(m string, kind history.Kind) history.Outcome {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.Done[m][kind]
}

func (j *journal) save() error {
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(j.file, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("note how far the run has come: %w", err)
	}
	return nil
}

// end deletes the journal.
func (j *journal) end() error { return os.Remove(j.file) }
