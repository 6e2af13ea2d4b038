package dav

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// move renames a resource within the destination.
func (h *Handler) move(w http.ResponseWriter, r *http.Request, t *Target) error {
	if !infinite(r.Header) {
		return fmt.Errorf("MOVE, Depth: %.16q: %w", r.Header.Get("Depth"), fs.ErrInvalid)
	}
	return h.transfer(w, r, t, func(there fs.FileInfo) error {
		return rename(r.Context(), t.Store, there, t.Name, t.To)
	})
}

// copy duplicates a resource within the destination. The content passes through this
// process, so that it is published like an upload.
func (h *Handler) copy(w http.ResponseWriter, r *http.Request, t *Target) error {
	deep := infinite(r.Header)
	if !deep && r.Header.Get("Depth") != "0" {
		return fmt.Errorf("COPY, Depth: %.16q: %w", r.Header.Get("Depth"), fs.ErrInvalid)
	}
	return h.transfer(w, r, t, func(there fs.FileInfo) error {
		return duplicate(r.Context(), t.Store, there, t.Name, t.To, deep)
	})
}

// transfer is the common part of MOVE and COPY; act does the rest after all checks.
func (h *Handler) transfer(w http.ResponseWriter, r *http.Request, t *Target, act func(there fs.FileInfo) error) error {
	overwrite, err := overwrites(r.Header)
	if err != nil {
		return err
	}
	if t.To == "" {
		return fmt.Errorf("%s without Destination: %w", r.Method, fs.ErrInvalid)
	}
	if isRoot(t.Name) || isRoot(t.To) || within(t.Name, t.To) || within(t.To, t.Name) {
		return fmt.Errorf("%w: %s of %s to %s", refusal.ErrForbidden, r.Method, t.Name, t.To)
	}
	ctx := r.Context()
	unlock, err := h.lock(ctx, t, t.Name, t.To)
	if err != nil {
		return err
	}
	defer unlock()
	there, err := t.look(ctx)
	if err != nil {
		return err
	}
	if err := Check(r.Header, there); err != nil {
		return err
	}
	if err := parent(ctx, t.Store, t.To); err != nil {
		return err
	}
	if err := t.movable(ctx, there, t.Name, t.To); err != nil {
		return err
	}
	status, err := t.clear(r, there, overwrite)
	if err != nil {
		return err
	}
	if err := act(there); err != nil {
		return transferred(err)
	}
	w.WriteHeader(status)
	return nil
}

// clear removes what is in the way of a transfer, and returns its status in case of
// success. It leaves a file that another file will replace atomically.
func (t *Target) clear(r *http.Request, from fs.FileInfo, overwrite bool) (int, error) {
	to, err := look(r.Context(), t.Store, t.To)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return http.StatusCreated, nil
	case err != nil:
		return 0, err
	case !overwrite:
		return 0, fmt.Errorf("%w: Overwrite: F, and %s is there", refusal.ErrPrecondition, t.To)
	case !from.IsDir() && !to.IsDir():
		return http.StatusNoContent, nil
	}
	if err := t.movable(r.Context(), to, t.To, ""); err != nil {
		return 0, err
	}
	return http.StatusNoContent, remove(r.Context(), t.Store, to, t.To)
}

// transferred converts an error of a transfer in progress: if something vanished meanwhile,
// that does not prove that the resource never existed.
func transferred(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: it changed meanwhile: %s", refusal.ErrConflict, err.Error())
	}
	return err
}

// within reports whether name is dir or below it.
func within(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, dir+"/")
}

// overwrites parses the header Overwrite.
func overwrites(header http.Header) (bool, error) {
	switch value := header.Get("Overwrite"); value {
	case "", "T", "t":
		return true, nil
	case "F", "f":
		return false, nil
	default:
		return false, fmt.Errorf("header Overwrite %.16q: %w", value, fs.ErrInvalid)
	}
}
