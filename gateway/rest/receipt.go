package rest

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strings"
)

// HeaderSavedBy says in the answer to HEAD of a snapshot that a node saved it. Then its
// Last-Modified, which is when it was received, tells nothing of when the backup was made.
const HeaderSavedBy = "X-Rclone-Gateway-Saved-By"

// savedByNode is its value, and what a receipt holds.
const savedByNode = "node"

// receipt is where it is kept that a node saved a snapshot. Restic does not look there,
// and modules cannot write there. Its name is not that of a content: stores take one of
// 64 digits for the hash of what they are given.
func (t *Target) receipt() string { return t.Repo + "/receipts/" + t.Name + "." + savedByNode }

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
