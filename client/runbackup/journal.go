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

// resumable is how old a run may be that was killed, to go on where it was, if nobody says
// for when the new one was planned.
const resumable = 12 * time.Hour

// journal is what is known of a run that goes on, or was killed: a file in the node's state
// directory, gone when the run has ended.
type journal struct {
	ID      string    `json:"id"`
	Planned time.Time `json:"planned,omitzero"`
	Started time.Time `json:"started"`
	// Modules are those of the run, Done what was done of each, by module and kind.
	Modules []module                                    `json:"modules"`
	Done    map[string]map[history.Kind]history.Outcome `json:"done"`
	// Due is what a module's repository is due for, as soon as that is known.
	Due map[string][]history.Kind `json:"due,omitempty"`
	// Chosen are the modules that the command line named; none is all of the schedule.
	Chosen []string `json:"chosen,omitempty"`
	// Drills are the modules that were chosen for a drill; nil before.
	Drills []string `json:"drills,omitempty"`

	file string
	mu   sync.Mutex
}

// readJournal reads that of a run that was killed; nil where none was.
func readJournal(dir, schedule string) (*journal, error) {
	j := &journal{file: history.JournalFile(dir, schedule)}
	text, err := os.ReadFile(j.file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil //nolint:nilnil // none was killed, as most times
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

// newJournal begins that of a run.
func newJournal(dir, schedule string, planned, now time.Time, modules []module) *journal {
	return &journal{
		ID: history.NewID(schedule, now), Planned: planned, Started: now, Modules: modules,
		Done: map[string]map[history.Kind]history.Outcome{}, file: history.JournalFile(dir, schedule),
	}
}

// goesOn reports whether a run that is begun now is the one that was killed.
func (j *journal) goesOn(planned time.Time, chosen []string, now time.Time) bool {
	switch {
	case !slices.Equal(slices.Sorted(slices.Values(chosen)), slices.Sorted(slices.Values(j.Chosen))):
		return false
	case !planned.IsZero() || !j.Planned.IsZero():
		return planned.Equal(j.Planned)
	}
	return now.Sub(j.Started) < resumable && !now.Before(j.Started)
}

// plan notes what a module's repository is due for.
func (j *journal) plan(m string, due []history.Kind) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.Due == nil {
		j.Due = map[string][]history.Kind{}
	}
	j.Due[m] = due
	return j.save()
}

// due is what a module's repository was found to be due for.
func (j *journal) due(m string) []history.Kind {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.Due[m])
}

// owed are the kinds of which a module has no outcome yet.
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

// note notes what was done, on the disk before it returns.
func (j *journal) note(m string, kind history.Kind, outcome history.Outcome) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.Done[m] == nil {
		j.Done[m] = map[history.Kind]history.Outcome{}
	}
	j.Done[m][kind] = outcome
	return j.save()
}

// chooseDrills notes which modules are to be tried, on the disk before it returns.
func (j *journal) chooseDrills(modules []string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.Drills = modules
	return j.save()
}

// outcome is what was done of a module's kind, "" where nothing was.
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

// end ends the run.
func (j *journal) end() error { return os.Remove(j.file) }
