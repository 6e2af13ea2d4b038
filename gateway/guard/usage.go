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
	// countPatience is how long an upload waits for the first count. Then it is accepted: a
	// quota must not stop a backup just because counting is slow.
	countPatience = 10 * time.Second
	// countTimeout bounds a count.
	countTimeout = time.Hour
	// countShare bounds the time spent on counting: after a count that took t, the next one
	// starts no sooner than countShare × t later.
	countShare = 10
	// countExpires is the maximum age of a count that can refuse an upload: others than
	// this gateway delete too.
	countExpires = 10 * time.Minute
	// countAgain is when a failed count is retried.
	countAgain = time.Minute
)

// usage is how much a destination and its modules hold. If there is a quota, it is counted
// with a list at the first upload, and then increased by what is uploaded. After deletions
// and repeated uploads it is too high; so it is counted again before anything is refused.
type usage struct {
	dest string
	log  *slog.Logger

	mu      sync.Mutex
	whole   *tally
	modules map[string]*tally // by module UUID
}

// tally is one sum. The mutex of usage guards it.
type tally struct {
	dirs map[string]bool // the directories it sums up; value: counted

	base    int64 // bytes found by the last count
	added   int64 // uploaded since the count began
	pending int64 // being uploaded

	stale    bool          // the sum may be too high
	ended    time.Time     // when the last count ended
	notUntil time.Time     // when the next may start
	counting chan struct{} // closed at the end of the running count
	began    time.Time     // when the running count began
}

func (t *tally) sum() int64 { return t.base + t.added + t.pending }

// tally returns the sum for a module or, with an empty uuid, for everything. It adds dir to
// what the sum covers.
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
		t.stale = true // it may have replaced an equal object
	}
}

// counted returns the size of the whole destination, if it was counted.
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

// count starts a count unless one is running or it is too early, and waits for its end, but
// at most until countPatience after its start. The caller holds the mutex, which is
// released meanwhile.
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

// list counts. It has its own context, since the upload that asked for the count may end
// before.
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
	t.stale = t.added > 0 // the list may include some of it
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
