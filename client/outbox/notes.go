package outbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// Of returns the box in a node's directory of runs.
func Of(stateDir string) *Box { return &Box{Dir: filepath.Join(Dir(stateDir), "queue")} }

// Dir returns the directory for messages.
func Dir(stateDir string) string { return filepath.Join(stateDir, "notify") }

// AboutHooks begins the subjects of notes about hooks. The schedule's ID, when they run,
// and their path follow.
const AboutHooks = "hook/"

// Note is a problem of this node that is not an outcome of a run, such as a failed hook.
type Note struct {
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
}

func notesFile(stateDir string) string { return filepath.Join(Dir(stateDir), "notes.json") }

// Notes returns a node's notes by subject.
func Notes(stateDir string) (map[string]Note, error) {
	notes := map[string]Note{}
	text, err := os.ReadFile(notesFile(stateDir))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return notes, nil
	case err != nil:
		return notes, err
	}
	if err := json.Unmarshal(text, &notes); err != nil {
		return map[string]Note{}, fmt.Errorf("%s: %w", notesFile(stateDir), err)
	}
	return notes, nil
}

// SetNotes replaces the notes whose subject begins with a prefix. A problem that persists
// keeps its time.
func SetNotes(stateDir, prefix string, now time.Time, texts map[string]string) error {
	if _, same := changed(stateDir, prefix, now, texts); same {
		return nil // nothing changed, as usual
	}
	unlock, err := lockNotes(stateDir)
	if err != nil {
		return err
	}
	defer unlock()
	notes, same := changed(stateDir, prefix, now, texts)
	if same {
		return nil
	}
	text, err := json.Marshal(notes)
	if err != nil {
		return err
	}
	return atomicfile.Write(notesFile(stateDir), append(text, '\n'), 0o600)
}

// changed returns the new notes, and reports whether they differ from the present ones.
func changed(stateDir, prefix string, now time.Time, texts map[string]string) (notes map[string]Note, same bool) {
	old, err := Notes(stateDir)
	if err != nil {
		old = map[string]Note{} // an unreadable file is replaced
	}
	notes = maps.Clone(old)
	maps.DeleteFunc(notes, func(about string, _ Note) bool { return strings.HasPrefix(about, prefix) })
	for about, text := range texts {
		since := now
		if before, known := old[prefix+about]; known {
			since = before.Since
		}
		notes[prefix+about] = Note{text, since}
	}
	return notes, err == nil && maps.Equal(old, notes)
}

// lockNotes locks the notes.
func lockNotes(stateDir string) (unlock func(), err error) {
	if err := os.MkdirAll(Dir(stateDir), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(Dir(stateDir), "notes.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock the notes of this node: %w", err)
	}
	return func() { _ = file.Close() }, nil
}

// Lines returns the problems of notifications for people: unsent messages, and the notes.
func Lines(stateDir string) []string {
	var lines []string
	if unsent := Of(stateDir).Unsent(); unsent != "" {
		lines = append(lines, unsent)
	}
	notes, err := Notes(stateDir)
	if err != nil {
		lines = append(lines, err.Error())
	}
	for _, about := range slices.Sorted(maps.Keys(notes)) {
		lines = append(lines, notes[about].Text)
	}
	return lines
}
