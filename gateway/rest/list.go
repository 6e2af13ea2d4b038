package rest

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
)

// list answers with the names of all objects of one type.
//
// A repository in which nothing was stored below t yet has an empty list, but so
// has a bucket that is gone and a disk that is not mounted, and to a prune that
// would mean that everything may be deleted: an empty list is only believed
// where the repository's config is there. Where it is proven absent the answer
// is 404, which restic's init takes for an empty list (it looks for keys and
// snapshots before it writes the config, from 0.17 on).
func (h *Handler) list(w http.ResponseWriter, r *http.Request, t *Target) error {
	l := newListWriter(w, r.Header)
	defer l.release()
	err := h.collect(r, t, l)
	if err == nil {
		err = l.finish()
	}
	if err != nil {
		return fmt.Errorf("list %s: %w", t.path(), err)
	}
	return nil
}

// collect hands every object of the list to l.
func (h *Handler) collect(r *http.Request, t *Target, l *listWriter) error {
	var recent map[string]recentLock
	if t.Type == object.Locks {
		recent = h.recent.all(t.repoKey())
	}
	found, listed := false, false
	err := t.Store.List(r.Context(), t.path(), func(info fs.FileInfo) error {
		found = true
		name := info.Name()
		// What else lies there is not the protocol's: temporary files, notes.
		if info.IsDir() || !object.ValidName(name) {
			return nil
		}
		if lock, known := recent[name]; known {
			delete(recent, name)
			if lock.removed {
				return nil
			}
		}
		listed = true
		return l.add(name, info.Size())
	})
	switch {
	case err == nil:
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case found:
		// Something vanished under the listing; t itself is not proven absent.
		return fmt.Errorf("broke off: %s", err.Error())
	}
	for name, lock := range recent {
		if lock.absent() {
			continue
		}
		listed = true
		if err := l.add(name, lock.size); err != nil {
			return err
		}
	}
	if listed {
		return nil
	}
	_, err = t.Store.Stat(r.Context(), t.config())
	return err
}
