package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/form"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
)

// putKey stores a key. Whoever may not add keys founds a repository with it: there is
// nothing else of it yet. That is decided while no config, and no other key, can come
// in between.
func (h *Handler) putKey(r *http.Request, t *Target) error {
	content, err := io.ReadAll(newVerifier(r.Body, r.ContentLength, t.Name))
	if err != nil {
		return err
	}
	if err := form.Key(content); err != nil {
		return err
	}
	config := &Target{Destination: t.Destination, Repo: t.Repo, Type: object.Config}
	unlock, err := h.writers.Lock(r.Context(), config.key())
	if err != nil {
		return err
	}
	defer unlock()
	unlockKey, err := h.writers.Lock(r.Context(), t.key())
	if err != nil {
		return err
	}
	defer unlockKey()
	if err := h.wantFirstKey(r.Context(), t); err != nil {
		return err
	}
	return t.Store.Put(r.Context(), t.path(), r.ContentLength, bytes.NewReader(content))
}

// wantFirstKey refuses a key that is not the first thing in its repository, unless the
// caller may add keys. A second one is refused before there is a config, too: restic
// tries twenty, and then gives up.
func (h *Handler) wantFirstKey(ctx context.Context, t *Target) error {
	if t.AddKey {
		return nil
	}
	switch _, err := t.Store.Stat(ctx, t.config()); {
	case err == nil:
		return fmt.Errorf("%w: %s has a config", refusal.ErrKey, t.Repo)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := h.wantUnborn(ctx, t); err != nil {
		if errors.Is(err, refusal.ErrForbidden) {
			return fmt.Errorf("%w: %s", refusal.ErrKey, err.Error())
		}
		return err
	}
	keys, err := firstNames(ctx, t, object.Keys, 2)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if key != t.Name {
			return fmt.Errorf("%w: %s has a key", refusal.ErrKey, t.Repo)
		}
	}
	return nil
}

// wantUnborn refuses what would make a repository of something that was one, or is one
// whose config a node is replacing: restic migrate deletes the config and saves it
// again. It runs under the config's lock, where the config is proven absent.
func (h *Handler) wantUnborn(ctx context.Context, t *Target) error {
	switch {
	case t.AddKey && t.Type == object.Config:
		return nil // a node may mend what is left of a repository
	case !t.AddKey && h.configs.removedLately(t.repoKey()):
		return fmt.Errorf("the config of %s was deleted a moment ago: %w", t.Repo, refusal.ErrForbidden)
	}
	for _, typ := range []object.Type{object.Snapshots, object.Index, object.Data} {
		switch names, err := firstNames(ctx, t, typ, 1); {
		case err != nil:
			return err
		case len(names) > 0:
			return fmt.Errorf("%s holds %s and lost its config: %w", t.Repo, typ, refusal.ErrForbidden)
		}
	}
	if t.Trash == nil || t.AddKey {
		return nil
	}
	switch held, err := t.Trash.Holds(ctx, t.Repo); {
	case err != nil:
		return err
	case held:
		return fmt.Errorf("%s was deleted and is kept: %w", t.Repo, refusal.ErrForbidden)
	}
	return nil
}

// configAway is how long a config may be missing that a node deleted. It is longer
// than restic tries to save it again.
const configAway = 20 * time.Minute

// removedConfigs remembers whose config was deleted, and not saved again. The zero
// value is ready.
type removedConfigs struct {
	mu    sync.Mutex
	since map[repoKey]time.Time
}

func (c *removedConfigs) removing(repo repoKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since == nil {
		c.since = make(map[repoKey]time.Time)
	}
	for other, at := range c.since {
		if time.Since(at) >= configAway {
			delete(c.since, other)
		}
	}
	c.since[repo] = time.Now()
}

func (c *removedConfigs) saved(repo repoKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.since, repo)
}

func (c *removedConfigs) removedLately(repo repoKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, known := c.since[repo]
	return known && time.Since(at) < configAway
}
