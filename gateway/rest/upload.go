package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/form"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
)

// maxConfig bounds what is read of a config; restic's has some 200 bytes.
const maxConfig = 1 << 20

// save stores an object and answers a success with that status.
func (h *Handler) save(w http.ResponseWriter, r *http.Request, t *Target, status int) error {
	if r.ContentLength < 0 {
		return refusal.ErrLength
	}
	err := form.Size(t.Type.String(), r.ContentLength)
	switch {
	case err != nil:
	case t.Type == object.Config:
		err = h.putConfig(r, t)
	case t.Type == object.Keys:
		err = h.putKey(r, t)
	case t.Meter != nil && t.Type != object.Data:
		err = h.putMetered(w, r, t)
	case t.AddKey && t.Type == object.Snapshots:
		err = h.putSnapshotOfNode(r, t)
	default:
		err = h.putObject(r, t)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(status)
	return nil
}

// putObject stores what is named by its hash. It does so even where the name is
// there already: the content is verified and published atomically, so that this
// repairs a damaged object and never harms a sound one.
func (h *Handler) putObject(r *http.Request, t *Target) error {
	return h.putVerified(r, t, newVerifier(r.Body, r.ContentLength, t.Name))
}

func (h *Handler) putVerified(r *http.Request, t *Target, body *verifier) error {
	if err := body.failed(); err != nil {
		return err
	}
	unlock, err := h.writers.Lock(r.Context(), t.key())
	if err != nil {
		return err
	}
	defer unlock()
	err = t.Store.Put(r.Context(), t.path(), r.ContentLength, body)
	switch {
	case body.failed() != nil:
		// Whatever the store made of it, this is what happened.
		return body.failed()
	case err == nil && !body.complete():
		err = errors.New("store took a part for the whole upload")
	}
	h.notePut(t, r.ContentLength, err)
	return err
}

// notePut remembers a lock that was stored. After a failure it is open whether
// one that was deleted before is there again.
func (h *Handler) notePut(t *Target, size int64, err error) {
	if t.Type != object.Locks {
		return
	}
	if err == nil {
		h.recent.wrote(t.repoKey(), t.Name, size)
		return
	}
	h.recent.forget(t.repoKey(), t.Name)
}

// putConfig stores the one object that is not named by its hash. It may be
// created, and created again with the same content; other content is refused
// where the target does not allow it, since whoever replaces the config makes
// the repository unreadable.
func (h *Handler) putConfig(r *http.Request, t *Target) error {
	content := make([]byte, r.ContentLength)
	if n, err := io.ReadFull(r.Body, content); err != nil {
		return shortErr(r.ContentLength-int64(n), err)
	}
	unlock, err := h.writers.Lock(r.Context(), t.key())
	if err != nil {
		return err
	}
	defer unlock()
	there, err := readConfig(r.Context(), t)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := h.wantUnborn(r.Context(), t); err != nil {
			return err
		}
	case err != nil:
		return err
	case bytes.Equal(there, content):
		return nil
	case !t.ReplaceConfig:
		return fmt.Errorf("config is there with other content: %w", refusal.ErrForbidden)
	}
	if err := t.Store.Put(r.Context(), t.path(), r.ContentLength, bytes.NewReader(content)); err != nil {
		return err
	}
	h.configs.saved(t.repoKey())
	return nil
}

// readConfig returns what is stored as the repository's config, cut behind
// maxConfig bytes.
func readConfig(ctx context.Context, t *Target) ([]byte, error) {
	body, _, err := t.Store.Open(ctx, t.path(), 0, maxConfig+1)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, maxConfig+1))
}

// remove deletes an object. Absence is what was asked for, and so is a success:
// a client repeats a DELETE whose answer it lost.
func (h *Handler) remove(w http.ResponseWriter, r *http.Request, t *Target) error {
	unlock, err := h.writers.Lock(r.Context(), t.key())
	if err != nil {
		return err
	}
	defer unlock()
	if t.Type == object.Locks {
		err = h.removeLock(r.Context(), t)
	} else {
		err = t.Store.Remove(r.Context(), t.path())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// removeLock deletes a lock, and remembers that. While it is at it, and after a
// failure, it is open whether the lock is there. An absence proves nothing where the
// lock was written here a moment ago: then the lock stays.
func (h *Handler) removeLock(ctx context.Context, t *Target) error {
	written := h.recent.going(t.repoKey(), t.Name)
	err := t.Store.Remove(ctx, t.path())
	absent := errors.Is(err, fs.ErrNotExist)
	switch {
	case absent && written:
		h.recent.stays(t.repoKey(), t.Name)
		return unproven(err)
	case err == nil, absent:
		h.recent.removed(t.repoKey(), t.Name)
	default:
		h.recent.forget(t.repoKey(), t.Name)
	}
	return err
}
