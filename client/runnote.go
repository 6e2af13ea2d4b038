package client

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// runNotePrefix begins the names of the notes in the state directory.
const runNotePrefix = ".restic-run."

// runNote is a file that tells which repository a backup or a restore works on. It
// is locked for as long as the process lives, and is gone when the run has ended by
// itself: one that nobody locks is that of a run that was killed.
type runNote struct {
	id         string // of the run
	repository string // its URL
	file       *os.File
}

// newRunID names a run. It is a part of a host name, which has little room.
func newRunID(does, moduleID string) string {
	const longest = 40
	return fmt.Sprintf("%s-%s-%08x", does, moduleID[:min(len(moduleID), longest)], rand.Uint32())
}

func writeRunNote(stateDir, id, repository string) (*runNote, error) {
	file, err := openLocked(filepath.Join(stateDir, runNotePrefix+id), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	note := &runNote{id, repository, file}
	if _, err := io.WriteString(file, repository); err != nil {
		note.remove()
		return nil, err
	}
	return note, nil
}

// deadRunNotes takes over the notes of killed runs. Each is to be removed or
// closed.
func deadRunNotes(stateDir string) ([]*runNote, error) {
	entries, err := os.ReadDir(stateDir)
	if err != nil {
		return nil, err
	}
	var notes []*runNote
	for _, entry := range entries {
		id, found := strings.CutPrefix(entry.Name(), runNotePrefix)
		if !found {
			continue
		}
		file, err := openLocked(filepath.Join(stateDir, entry.Name()), os.O_RDWR)
		// It is of a run that lives, has gone meanwhile, or is another user's.
		if errors.Is(err, errHeld) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return notes, err
		}
		repository, err := io.ReadAll(file)
		note := &runNote{id, string(repository), file}
		if err == nil && len(repository) == 0 {
			note.remove() // restic had not begun
			continue
		}
		notes = append(notes, note)
		if err != nil {
			return notes, err
		}
	}
	return notes, nil
}

// remove takes the note away: nothing of the run is left.
func (n *runNote) remove() {
	_ = os.Remove(n.file.Name())
	n.close()
}

// close leaves the note to the next run.
func (n *runNote) close() { _ = n.file.Close() }
