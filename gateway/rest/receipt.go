package rest

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// HeaderSavedBy says in the answer to HEAD of a snapshot that a node saved it. Then its
// Last-Modified, which is when it was received, tells nothing of when the backup was made.
const HeaderSavedBy = "X-Rclone-Gateway-Saved-By"

// savedByNode is its value.
const savedByNode = storage.SavedByNode

// receipt is where it is kept that a node saved a snapshot.
func (t *Target) receipt() string { return storage.NodeReceipt(t.Repo, t.Name) }

// putSnapshotOfNode stores a snapshot, and that a node did. The receipt comes first: with
// the snapshot alone it would be the module's.
func (h *Handler) putSnapshotOfNode(r *http.Request, t *Target) error {
	body := newVerifier(r.Body, r.ContentLength, t.Name)
	switch _, err := t.Store.Stat(r.Context(), t.path()); {
	case err == nil:
		// Whose it is was decided when it came.
		return h.putVerified(r, t, body)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := t.Store.Put(r.Context(), t.receipt(), int64(len(savedByNode)), strings.NewReader(savedByNode)); err != nil {
		return err
	}
	return h.putVerified(r, t, body)
}

// setReceipt says when a snapshot was received, and by whom it was saved.
func (h *Handler) setReceipt(ctx context.Context, header http.Header, t *Target, info fs.FileInfo) error {
	if at := info.ModTime(); !at.IsZero() {
		header.Set("Last-Modified", at.UTC().Format(http.TimeFormat))
	}
	switch _, err := t.Store.Stat(ctx, t.receipt()); {
	case err == nil:
		header.Set(HeaderSavedBy, savedByNode)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}
