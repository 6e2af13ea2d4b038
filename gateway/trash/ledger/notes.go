package ledger

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

// Notes are what a repository's notes say.
type Notes struct {
	// Horizon is the newest time of deletion of anything that was purged; zero where
	// nothing was.
	Horizon time.Time
	// Receipts are the times at which objects were received first.
	Receipts map[Key]time.Time
	// horizons and files are the names that say so, below the directory of the notes.
	horizons []string
	files    map[Key][]string
}

func notesDir(repo string) string { return repoDir(repo) + "/" + dirNotes }

// ReadNotes reads the notes of a repository.
func (l *Ledger) ReadNotes(ctx context.Context, repo string) (Notes, error) {
	n := Notes{Receipts: make(map[Key]time.Time), files: make(map[Key][]string)}
	err := l.store.List(ctx, notesDir(repo), func(info fs.FileInfo) error {
		n.read(info.Name())
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return n, err
}

func (n *Notes) read(name string) {
	parts := strings.Split(name, "_")
	at, ok := ParseStamp(parts[len(parts)-1])
	switch {
	case !ok:
	case parts[0] == noteHorizon && len(parts) == 2:
		n.horizons = append(n.horizons, name)
		if at.After(n.Horizon) {
			n.Horizon = at
		}
	case parts[0] == noteReceipt && len(parts) == 4:
		key := Key{parts[1], parts[2]}
		n.files[key] = append(n.files[key], name)
		if first, known := n.Receipts[key]; !known || at.Before(first) {
			n.Receipts[key] = at
		}
	}
}

// Horizon returns the newest time of deletion of anything that was purged: as it was
// before that time, the repository cannot be had. It is zero where nothing was.
func (l *Ledger) Horizon(ctx context.Context, repo string) (time.Time, error) {
	n, err := l.ReadNotes(ctx, repo)
	return n.Horizon, err
}

// RaiseHorizon notes, before it happens, that something is purged that was deleted then.
func (l *Ledger) RaiseHorizon(ctx context.Context, repo string, to time.Time) error {
	n, err := l.ReadNotes(ctx, repo)
	if err != nil || !to.After(n.Horizon) {
		return err
	}
	name := noteHorizon + "_" + stamp(to, micros)
	if err := l.putEmpty(ctx, notesDir(repo)+"/"+name); err != nil {
		return err
	}
	for _, old := range n.horizons {
		if old != name {
			if err := l.store.Remove(ctx, notesDir(repo)+"/"+old); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// NoteReceipt writes down when an object was received first.
func (l *Ledger) NoteReceipt(ctx context.Context, o Ref, at time.Time) error {
	defer l.noted.forget(o.Repo)
	return l.putEmpty(ctx, notesDir(o.Repo)+"/"+receiptName(o)+stamp(at, millis))
}

func receiptName(o Ref) string { return noteReceipt + "_" + o.Kind + "_" + o.Name + "_" }

// ReadReceipts reads the notes of a repository where they may say when an object was
// received first: only storage that forgets it with a move has such notes.
func (l *Ledger) ReadReceipts(ctx context.Context, repo string) (Notes, error) {
	if l.renames {
		return Notes{}, nil
	}
	return l.ReadNotes(ctx, repo)
}

// ForgetReceipt removes the notes of an object that is gone.
func (l *Ledger) ForgetReceipt(ctx context.Context, o Ref, n Notes) (err error) {
	files := n.files[o.Key()]
	if len(files) == 0 {
		return nil
	}
	defer l.noted.forget(o.Repo)
	for _, name := range files {
		err = errors.Join(err, l.Remove(ctx, notesDir(o.Repo)+"/"+name))
	}
	return err
}
