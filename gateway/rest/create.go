package rest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// create makes a repository ready for its first object. It succeeds on an
// existing repository too: restic asks for it once and never again, so that
// after a lost answer its user simply repeats the init.
func (h *Handler) create(w http.ResponseWriter, r *http.Request, t *Target) error {
	if err := storage.Create(r.Context(), t.Store, t.path()); err != nil {
		return err
	}
	if err := h.clearUnfinished(r.Context(), t); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// clearUnfinished removes what an init left that was killed between its two
// objects: a key without a config. A second init adds another key to it, after
// which restic before 0.17 takes either one for the key of the config, and newer
// versions refuse to begin. Only nodes may delete keys, so that the module alone
// would never get its repository.
//
// A key is worth nothing while there is neither config nor data. Where there is
// data the config got lost, and a new one would make that loss final.
func (h *Handler) clearUnfinished(ctx context.Context, t *Target) error {
	config := &Target{Destination: t.Destination, Repo: t.Repo, Type: object.Config}
	unlock, err := h.writers.Lock(ctx, config.key())
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := t.Store.Stat(ctx, config.path()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	keys, err := firstNames(ctx, t, object.Keys, -1)
	if err != nil || len(keys) == 0 {
		return err
	}
	if err := h.wantUnborn(ctx, t); err != nil {
		return err
	}
	for _, name := range keys {
		key := &Target{Repo: t.Repo, Type: object.Keys, Name: name}
		if err := t.Store.Remove(ctx, key.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the key of an unfinished init: %w", err)
		}
	}
	return nil
}

// firstNames lists up to limit objects of a type, and all of them where limit is
// negative. Names that the protocol does not have are left out.
func firstNames(ctx context.Context, t *Target, typ object.Type, limit int) ([]string, error) {
	var names []string
	dir := Target{Repo: t.Repo, Type: typ}
	err := t.Store.List(ctx, dir.path(), func(info fs.FileInfo) error {
		if name := info.Name(); object.ValidName(name) {
			names = append(names, name)
		}
		if len(names) == limit {
			return fs.SkipAll
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.SkipAll) && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list %s: %w", dir.path(), err)
	}
	return names, nil
}
