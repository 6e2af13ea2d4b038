package rest

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
)

// putMetered stores an object of which its caller may save only so many.
func (h *Handler) putMetered(w http.ResponseWriter, r *http.Request, t *Target) error {
	if t.Type == object.Locks {
		if err := h.wantRoom(w, r, t); err != nil {
			return err
		}
		return h.putObject(r, t)
	}
	giveBack, wait, ok := t.Meter.Take(t.Type)
	if !ok {
		retryAfter(w, wait)
		return fmt.Errorf("%w: %s of one user in an hour", refusal.ErrRate, t.Type)
	}
	err := h.putObject(r, t)
	if err != nil {
		giveBack() // restic tries again
	}
	return err
}

// retryAfter says when the same request may succeed.
func retryAfter(w http.ResponseWriter, wait time.Duration) {
	seconds := max(1, int64((wait+time.Second-1)/time.Second))
	w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
}

// fullFor is how long the locks of a repository are not counted again that had too
// many.
const fullFor = 10 * time.Second

// wantRoom refuses a lock where there are as many as are allowed. They are listed only
// once as many were saved by this process as there may be: until then, twice as many
// can lie there.
func (h *Handler) wantRoom(w http.ResponseWriter, r *http.Request, t *Target) error {
	most := t.Meter.MaxLocks()
	if most <= 0 {
		return nil
	}
	full := fmt.Errorf("%w: %s has %d locks", refusal.ErrRate, t.Repo, most)
	switch wait := h.locks.full(t.repoKey()); {
	case wait > 0:
		retryAfter(w, wait)
		return full
	case h.locks.add(t.repoKey()) <= most:
		return nil
	}
	there, err := h.countLocks(r.Context(), t, most)
	if err != nil {
		return err
	}
	if h.locks.counted(t.repoKey(), there, there >= most); there >= most {
		retryAfter(w, fullFor)
		return full
	}
	return nil
}

// countLocks counts up to limit locks.
func (h *Handler) countLocks(ctx context.Context, t *Target, limit int) (int, error) {
	names, err := firstNames(ctx, t, object.Locks, limit)
	return len(names), err
}

// lockCount is what is known of the number of locks of a repository.
type lockCount struct {
	most int // as many as there can be: those counted, and those saved since
	full time.Time
}

// lockCounts are those of all repositories. The zero value is ready.
type lockCounts struct {
	mu    sync.Mutex
	repos map[repoKey]lockCount
}

// add counts one more, and returns how many there can be.
func (c *lockCounts) add(repo repoKey) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.repos == nil {
		c.repos = make(map[repoKey]lockCount)
	}
	count := c.repos[repo]
	count.most++
	c.repos[repo] = count
	return count.most
}

// counted learns how many there are, beside one that is about to be saved.
func (c *lockCounts) counted(repo repoKey, there int, full bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	count := lockCount{most: there + 1}
	if full {
		count.full = time.Now()
	}
	c.repos[repo] = count
}

// forget drops what is known of a repository: its locks are counted with the next one.
func (c *lockCounts) forget(repo repoKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.repos, repo)
}

// full returns how long there are too many.
func (c *lockCounts) full(repo repoKey) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	count := c.repos[repo]
	if count.full.IsZero() {
		return 0
	}
	return fullFor - time.Since(count.full)
}
