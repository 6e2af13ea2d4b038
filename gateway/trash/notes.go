package trash

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"
)

// Notes of a repository are empty files whose names say all: so one list reads them,
// and one upload writes one.
const (
	// noteHorizon_<time> says that something was purged that was deleted at that time.
	noteHorizon = "horizon"
	// noteReceipt_<kind>_<name>_<time> is the receipt of an object that came back from
	// the trash, where the storage gives it another time.
	noteReceipt = "receipt"
)

// notes are what a repository's notes say.
type notes struct {
	horizon  time.Time
	receipts map[receiptKey]time.Time
	// horizons and files are the names that say so, below the directory of the notes.
	horizons []string
	files    map[receiptKey][]string
}

type receiptKey struct{ kind, name string }

func notesDir(repo string) string { return repoDir(repo) + "/" + dirNotes }

// readNotes reads the notes of a repository.
func (s *Store) readNotes(ctx context.Context, repo string) (notes, error) {
	n := notes{receipts: make(map[receiptKey]time.Time), files: make(map[receiptKey][]string)}
	err := s.store.List(ctx, notesDir(repo), func(info fs.FileInfo) error {
		n.read(info.Name())
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return n, err
}

func (n *notes) read(name string) {
	parts := strings.Split(name, "_")
	at, ok := parseStamp(parts[len(parts)-1])
	switch {
	case !ok:
	case parts[0] == noteHorizon && len(parts) == 2:
		n.horizons = append(n.horizons, name)
		if at.After(n.horizon) {
			n.horizon = at
		}
	case parts[0] == noteReceipt && len(parts) == 4:
		key := receiptKey{parts[1], parts[2]}
		n.files[key] = append(n.files[key], name)
		if first, known := n.receipts[key]; !known || at.Before(first) {
			n.receipts[key] = at
		}
	}
}

// Horizon returns the newest time of deletion of anything that was purged: as it was
// before that time, the repository cannot be had. It is zero where nothing was.
func (s *Store) Horizon(ctx context.Context, repo string) (time.Time, error) {
	n, err := s.readNotes(ctx, repo)
	return n.horizon, err
}

// raiseHorizon notes, before it happens, that something is purged that was deleted then.
func (s *Store) raiseHorizon(ctx context.Context, repo string, to time.Time) error {
	n, err := s.readNotes(ctx, repo)
	if err != nil || !to.After(n.horizon) {
		return err
	}
	name := noteHorizon + "_" + stamp(to, micros)
	if err := s.putEmpty(ctx, notesDir(repo)+"/"+name); err != nil {
		return err
	}
	for _, old := range n.horizons {
		if old != name {
			if err := s.store.Remove(ctx, notesDir(repo)+"/"+old); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// noteReceipt writes down when an object was received first.
func (s *Store) noteReceipt(ctx context.Context, o object, at time.Time) error {
	defer s.noted.forget(o.repo)
	return s.putEmpty(ctx, notesDir(o.repo)+"/"+receiptName(o)+stamp(at, millis))
}

func receiptName(o object) string { return noteReceipt + "_" + o.kind + "_" + o.name + "_" }

// readReceipts reads the notes of a repository where they may say when an object was
// received first: only storage that forgets it with a move has such notes.
func (s *Store) readReceipts(ctx context.Context, repo string) (notes, error) {
	if s.renames {
		return notes{}, nil
	}
	return s.readNotes(ctx, repo)
}

// forgetReceipt removes the notes of an object that is gone.
func (s *Store) forgetReceipt(ctx context.Context, o object, n notes) (err error) {
	files := n.files[receiptKey{o.kind, o.name}]
	if len(files) == 0 {
		return nil
	}
	defer s.noted.forget(o.repo)
	for _, name := range files {
		err = errors.Join(err, s.remove(ctx, notesDir(o.repo)+"/"+name))
	}
	return err
}
