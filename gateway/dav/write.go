package dav

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/internal/keyedmutex"
)

// writers lets one request at a time change a name.
type writers = keyedmutex.Mutex[resource]

// resource identifies a name that a request changes, across reloads.
type resource struct{ destination, name string }

// lock waits until nobody else changes the names. It locks them in a common order.
func (h *Handler) lock(ctx context.Context, t *Target, names ...string) (unlock func(), err error) {
	slices.Sort(names)
	var held []func()
	unlock = func() {
		for _, release := range slices.Backward(held) {
			release()
		}
	}
	for _, name := range slices.Compact(names) {
		release, err := h.writers.Lock(ctx, resource{t.Destination, name})
		if err != nil {
			unlock()
			return nil, err
		}
		held = append(held, release)
	}
	return unlock, nil
}

// put stores a file, all or nothing. It answers 201 for a replaced file too, as clients of
// NethServer 8 expect.
func (h *Handler) put(w http.ResponseWriter, r *http.Request, t *Target) error {
	switch {
	case isRoot(t.Name) || t.Collection:
		return refuseCollection(w, r)
	case t.place(t.Name) != Free:
		return fixed(t.Name)
	case r.ContentLength < 0:
		return refusal.ErrLength
	case r.Header.Get("Content-Range") != "":
		return fmt.Errorf("PUT of a part of a file: %w", fs.ErrInvalid)
	}
	ctx := r.Context()
	unlock, err := h.lock(ctx, t, t.Name)
	if err != nil {
		return err
	}
	defer unlock()
	there, err := t.room(ctx, r.Header)
	if err != nil {
		return err
	}
	if there != nil && there.IsDir() {
		return refuseCollection(w, r)
	}
	body := &upload{from: r.Body, left: r.ContentLength}
	err = t.Store.Put(ctx, t.Name, r.ContentLength, body)
	if body.err != nil {
		return body.err // the cause, whatever the store made of it
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusCreated)
	return nil
}

// room checks whether a file may be stored: what has that name now, and whether the parent
// directory exists. On storage that creates directories implicitly it asks only if a
// condition depends on the answer.
func (t *Target) room(ctx context.Context, header http.Header) (fs.FileInfo, error) {
	if t.Store.HasDirectories() {
		if err := parent(ctx, t.Store, t.Name); err != nil {
			return nil, err
		}
	} else if !Conditional(header) {
		return nil, nil
	}
	there, err := look(ctx, t.Store, t.Name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return there, Check(header, there)
}

// parent checks that the parent directory of name exists.
func parent(ctx context.Context, s Store, name string) error {
	if !s.HasDirectories() {
		return nil
	}
	dir := path.Dir(name)
	_, err := lookDir(ctx, s, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", refusal.ErrConflict, dir)
	}
	return err
}

// upload is the body of a PUT. It remembers why it ended early.
type upload struct {
	from io.Reader
	left int64
	err  error
}

func (u *upload) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.from.Read(p)
	u.left -= int64(n)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF) && u.left <= 0:
		return n, io.EOF
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		u.err = fmt.Errorf("%w: %d bytes are missing", storage.ErrShort, u.left)
	default:
		u.err = fmt.Errorf("%w: %d bytes are missing: %w", storage.ErrShort, u.left, err)
	}
	return n, u.err
}

// mkcol creates a directory.
func (h *Handler) mkcol(w http.ResponseWriter, r *http.Request, t *Target) error {
	switch {
	case r.ContentLength != 0:
		return fmt.Errorf("%w: MKCOL with a body", refusal.ErrMediaType)
	case isRoot(t.Name):
		return refuseCollection(w, r)
	case t.place(t.Name) == Fixed:
		return fixed(t.Name)
	}
	ctx := r.Context()
	unlock, err := h.lock(ctx, t, t.Name)
	if err != nil {
		return err
	}
	defer unlock()
	if Conditional(r.Header) || !t.Store.HasDirectories() {
		there, err := look(ctx, t.Store, t.Name)
		switch {
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		case there != nil:
			return taken(w, t.Name)
		}
		if err := Check(r.Header, nil); err != nil {
			return err
		}
	}
	switch err := t.Store.Mkdir(ctx, t.Name); {
	case errors.Is(err, fs.ErrExist):
		return taken(w, t.Name)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s", refusal.ErrConflict, path.Dir(t.Name))
	case err != nil:
		return err
	}
	w.WriteHeader(http.StatusCreated)
	return nil
}

// taken refuses to create what exists.
func taken(w http.ResponseWriter, name string) error {
	w.Header().Set("Allow", collectionMethods)
	return fmt.Errorf("%w: %s", refusal.ErrThere, name)
}

// delete removes a file, or a directory with all its content.
func (h *Handler) delete(w http.ResponseWriter, r *http.Request, t *Target) error {
	if isRoot(t.Name) {
		return fmt.Errorf("%w: a whole destination is not removed", refusal.ErrForbidden)
	}
	ctx := r.Context()
	unlock, err := h.lock(ctx, t, t.Name)
	if err != nil {
		return err
	}
	defer unlock()
	there, err := t.look(ctx)
	if err != nil {
		return err
	}
	if there.IsDir() && !infinite(r.Header) {
		return fmt.Errorf("DELETE of a collection, Depth: %.16q: %w", r.Header.Get("Depth"), fs.ErrInvalid)
	}
	if err := Check(r.Header, there); err != nil {
		return err
	}
	if err := t.movable(ctx, there, t.Name, ""); err != nil {
		return err
	}
	if err := remove(ctx, t.Store, there, t.Name); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// infinite reports whether a request is for a whole tree, which is the default.
func infinite(header http.Header) bool {
	depth := header.Get("Depth")
	return depth == "" || strings.EqualFold(depth, "infinity")
}
