package ledger

import (
	"context"
	"errors"
	"io/fs"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Ledger is what the trash of one destination has written down on its storage. It is
// safe for concurrent use.
type Ledger struct {
	store   storage.Store
	renames bool
	noted   noted // what the notes say of receipts

	// Marks are those that this process knows of.
	Marks Marks
}

// New returns the ledger on a store; renames says that objects are renamed into the
// trash, so that there are no marks.
func New(store storage.Store, renames bool) *Ledger {
	return &Ledger{store: store, renames: renames}
}

// The directories of one repository's trash.
const (
	dirKept  = "kept"
	dirMarks = "marks"
	dirNotes = "notes"
	dirSeen  = "seen"
)

// repoDir is the trash of a repository.
func repoDir(repo string) string { return Dir + "/" + repo }

// Remove removes an object for good, whether it is there or not.
func (l *Ledger) Remove(ctx context.Context, name string) error {
	if err := l.store.Remove(ctx, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// putEmpty stores an empty file.
func (l *Ledger) putEmpty(ctx context.Context, name string) error {
	return l.store.Put(ctx, name, 0, http.NoBody)
}
