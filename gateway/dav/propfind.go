package dav

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// propfind describes a resource and, with Depth 1, its entries.
func (h *Handler) propfind(w http.ResponseWriter, r *http.Request, t *Target) error {
	deep, err := oneDeep(r.Header)
	if err != nil {
		return err
	}
	q, err := readQuery(r)
	if err != nil {
		return err
	}
	if !deep {
		return h.describe(r.Context(), w, t, q)
	}
	switch err := h.listing(r.Context(), w, t, q); {
	case errors.Is(err, errNoEntry) && !t.Collection:
		return h.describe(r.Context(), w, t, q) // a file has no entries
	default:
		return err
	}
}

// oneDeep parses the header Depth of a PROPFIND, whose default is infinity.
func oneDeep(header http.Header) (bool, error) {
	switch depth := strings.ToLower(header.Get("Depth")); depth {
	case "0":
		return false, nil
	case "1":
		return true, nil
	case "", "infinity":
		return false, refusal.ErrInfiniteDepth
	default:
		return false, fmt.Errorf("header Depth %.16q: %w", depth, fs.ErrInvalid)
	}
}

// listing describes a directory and its entries, from one listing of the store.
func (h *Handler) listing(ctx context.Context, w http.ResponseWriter, t *Target, q query) error {
	m := newMultistatus(w, q, directoryPath(t.Path))
	defer m.release()
	found := false
	err := t.Store.ReadDir(ctx, t.Name, func(info fs.FileInfo) error {
		found = true
		return m.add(info.Name(), info)
	})
	if err == nil {
		return m.finish()
	}
	if !found && errors.Is(err, fs.ErrNotExist) {
		if isRoot(t.Name) {
			return h.describe(ctx, w, t, q)
		}
		return fmt.Errorf("list %s: %w: %w", t.Name, errNoEntry, err)
	}
	return brokenOff(t.Name, err)
}

// brokenOff converts an error of a listing that has begun: if something vanished, the
// directory itself is not proven absent.
func brokenOff(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list %s: broke off: %s", name, err.Error())
	}
	return fmt.Errorf("list %s: %w", name, err)
}

// describe describes one resource.
func (h *Handler) describe(ctx context.Context, w http.ResponseWriter, t *Target, q query) error {
	info, err := t.look(ctx)
	if err != nil {
		return err
	}
	base := strings.TrimSuffix(t.Path, "/")
	if info.IsDir() {
		base = directoryPath(t.Path)
	}
	m := newMultistatus(w, q, base)
	defer m.release()
	if err := m.add(".", info); err != nil {
		return err
	}
	return m.finish()
}

// directoryPath returns a collection's path, which ends with a slash.
func directoryPath(name string) string { return strings.TrimSuffix(name, "/") + "/" }

// look returns information about the target.
func (t *Target) look(ctx context.Context) (fs.FileInfo, error) {
	if t.Collection || isRoot(t.Name) {
		return lookDir(ctx, t.Store, t.Name)
	}
	return look(ctx, t.Store, t.Name)
}

// look returns information about a file or, if there is none, a directory.
func look(ctx context.Context, s Store, name string) (fs.FileInfo, error) {
	if isRoot(name) {
		return lookDir(ctx, s, name)
	}
	info, err := s.Stat(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return lookDir(ctx, s, name)
	}
	return info, err
}

// lookDir returns information about a directory.
func lookDir(ctx context.Context, s Store, name string) (fs.FileInfo, error) {
	var found fs.FileInfo
	err := s.ReadDir(ctx, name, func(info fs.FileInfo) error {
		found = dirInfo{info.ModTime(), name}
		return fs.SkipAll
	})
	switch {
	case found != nil:
		return found, nil
	case isRoot(name) && errors.Is(err, fs.ErrNotExist):
		return dirInfo{name: name}, nil // the destination exists, and is empty
	case err == nil:
		return nil, fmt.Errorf("look at %s: %w", name, errNoEntry)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("look at %s: %w: %w", name, errNoEntry, err)
	}
	return nil, err
}
