package session

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// RunNotePrefix begins the names of the notes in the state directory.
const RunNotePrefix = ".restic-run."

// runNote is a file that says which repository a run works on: a line with the URL, and a
// line for each native restic that the run started. It is locked while the process lives,
// and deleted at the end of the run. A note without a lock belongs to a killed run.
type runNote struct {
	id         string // ID of the run
	repository string // URL
	processes  []process
	file       *os.File // nil if it could not be written
}

// process identifies a native restic, as its locks do.
type process struct {
	host string
	pid  int
}

// newRunID returns a unique ID, short enough for a part of a host name.
func newRunID(does, moduleID string) string {
	const longest = 40
	return fmt.Sprintf("%s-%s-%08x", does, moduleID[:min(len(moduleID), longest)], rand.Uint32())
}

func writeRunNote(stateDir, id, repository string) (*runNote, error) {
	// Another run may find the note before it is locked, and delete it.
	file, err := openLocked(filepath.Join(stateDir, RunNotePrefix+id), os.O_RDWR|os.O_CREATE, inTurn)
	if err != nil {
		return nil, err
	}
	note := &runNote{id: id, repository: repository, file: file}
	if _, err := fmt.Fprintln(file, repository); err != nil {
		note.remove()
		return nil, err
	}
	return note, nil
}

// addProcess notes a native restic on this host. If that fails, its lock may stay until
// restic considers it stale.
func (n *runNote) addProcess(pid int) {
	if host, err := os.Hostname(); err == nil {
		n.processes = append(n.processes, process{host, pid})
		_, _ = fmt.Fprintln(n.file, host, pid)
	}
}

// readRunNote reads the note of a killed run. It has no repository if restic had not
// started.
func readRunNote(file *os.File, id string) (*runNote, error) {
	note := &runNote{id: id, file: file}
	content, err := io.ReadAll(file)
	lines := strings.Split(string(content), "\n")
	note.repository = lines[0]
	for _, line := range lines[1:] {
		var p process
		if _, err := fmt.Sscan(line, &p.host, &p.pid); err == nil {
			note.processes = append(note.processes, p)
		}
	}
	return note, err
}

// deadRunNotes takes over the notes of killed runs. The caller must remove or close each.
func deadRunNotes(stateDir string) ([]*runNote, error) {
	entries, err := os.ReadDir(stateDir)
	if err != nil {
		return nil, err
	}
	var notes []*runNote
	for _, entry := range entries {
		id, found := strings.CutPrefix(entry.Name(), RunNotePrefix)
		if !found {
			continue
		}
		file, err := openLocked(filepath.Join(stateDir, entry.Name()), os.O_RDWR, atOnce)
		// The run is alive, or its note was deleted, belongs to another user, or is on a
		// read-only disk.
		if errors.Is(err, errHeld) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
			continue
		}
		if err != nil {
			return notes, err
		}
		note, err := readRunNote(file, id)
		if err == nil && note.repository == "" {
			note.remove()
			continue
		}
		notes = append(notes, note)
		if err != nil {
			return notes, err
		}
	}
	return notes, nil
}

// remove deletes the note: nothing of the run is left.
func (n *runNote) remove() {
	if n.file == nil {
		return
	}
	_ = os.Remove(n.file.Name())
	n.close()
}

// close leaves the note to the next run.
func (n *runNote) close() {
	if n.file != nil {
		_ = n.file.Close()
	}
}
