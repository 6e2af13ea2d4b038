package guard

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

const (
	// countPatience is how long an upload waits for the first count of what it
	// adds to. Then it is let through: a quota must not stop a backup by itself.
	countPatience = 10 * time.Second
	// countTimeout bounds a count.
	countTimeout = time.Hour
	// countShare bounds the time spent counting: after a count that took t, the
	// next one starts no sooner than countShare × t later.
	countShare = 10
	// countExpires is how old a count may be that an upload is refused by: others
	// than this gateway delete too.
	countExpires = 10 * time.Minute
	// countAgain is when a count that failed is tried again.
	countAgain = time.Minute
)

// usage is how much a destination and its modules hold, counted where there is a
// quota: by a list at the first upload, from then on by adding what is uploaded.
// What is deleted, or uploaded again, makes the sum too high; so before it
// refuses anything it counts again.
type usage struct {
	dest string
	log  *slog.Logger

	mu      sync.Mutex
	whole   *tally
	modules map[string]*tally // by module UUID
}

// tally is one sum. The usage's mutex guards it.
type tally struct {
	dirs map[string]bool // what it is the sum of; value: counted

	base    int64 // bytes found by the last count
	added   int64 // uploaded since that began
	pending int64 // being uploaded

	stale    bool          // the sum may be too high
	ended    time.Time     // the last count
	notUntil time.Time     // the next one
	counting chan struct{} // closed when the count under way has ended
	began    time.Time     // that count
}

func (t *tally) sum() int64 { return t.base + t.added + t.pending }

// tally returns the sum of the module, or with an empty uuid of everything, to
// which dir adds.
func (u *usage) tally(uuid, dir string) *tally {
	u.mu.Lock()
	defer u.mu.Unlock()
	t := u.whole
	if uuid != "" {
		t = u.modules[uuid]
	}
	if t == nil {
		t = &tally{dirs: make(map[string]bool)}
		if uuid == "" {
			u.whole = t
		} else {
			u.modules[uuid] = t
		}
	}
	if _, known := t.dirs[dir]; !known {
		t.dirs[dir] = false
	}
	return t
}

// settle ends what take began.
func (u *usage) settle(t *tally, size int64, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	t.pending -= size
	if err == nil {
		t.added += size
		t.stale = true // it may have replaced the same
	}
}

// counted returns what the whole destination holds, where that was counted.
func (u *usage) counted() (bytes int64, known bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.whole == nil || u.whole.ended.IsZero() {
		return 0, false
	}
	return u.whole.base + u.whole.added, true
}

func (u *usage) removed(t *tally) {
	u.mu.Lock()
	defer u.mu.Unlock()
	t.stale = true
}

// count starts a count, unless one is under way or it is too early for another,
// and waits for its end, but no longer than until countPatience after its
// beginning. It runs with the mutex held, and gives it free while it waits.
func (q *quotas) count(ctx context.Context, t *tally) error {
	if t.counting == nil {
		if time.Now().Before(t.notUntil) {
			return nil
		}
		t.counting, t.began = make(chan struct{}), time.Now()
		go q.list(t)
	}
	counting, patience := t.counting, time.NewTimer(countPatience-time.Since(t.began))
	defer patience.Stop()
	q.usage.mu.Unlock()
	defer q.usage.mu.Lock()
	select {
	case <-counting:
	case <-patience.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// list is a count, on its own time: the upload that asked for it may be gone
// before it ends.
func (q *quotas) list(t *tally) {
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	u := q.usage
	u.mu.Lock()
	before := t.added
	var dirs []string
	for dir := range t.dirs {
		dirs = append(dirs, dir)
	}
	u.mu.Unlock()

	var total int64
	var err error
	for _, dir := range dirs {
		if err = q.sizeOf(ctx, dir, &total); err != nil {
			break
		}
	}

	u.mu.Lock()
	defer u.mu.Unlock()
	close(t.counting)
	t.counting = nil
	if err != nil {
		t.notUntil = time.Now().Add(countAgain)
		u.log.Warn("cannot count what a destination holds; its quota is not fully enforced until this succeeds",
			"dest", u.dest, "err", err, "hint", refusal.Hint(err))
		return
	}
	t.base = total
	t.added -= before
	t.stale = t.added > 0 // some of it may have been listed
	t.ended = time.Now()
	t.notUntil = t.ended.Add(countShare * t.ended.Sub(t.began))
	for _, dir := range dirs {
		t.dirs[dir] = true
	}
}

func (q *quotas) sizeOf(ctx context.Context, dir string, total *int64) error {
	if dir == "." && q.kept != nil {
		*total += q.kept()
	}
	err := q.beneath.List(ctx, dir, func(info fs.FileInfo) error {
		*total += info.Size()
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
