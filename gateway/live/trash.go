package live

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/expiry"
)

const (
	// trashClockFile stores the time up to which the clock was trusted.
	trashClockFile = "trash-clock.json"
	// purgePause is the time between purges; purgeFirst delays the first one, which would
	// compete with the work of a start.
	purgePause = 10 * time.Minute
	purgeFirst = time.Minute
	// purgePace is how many objects of a destination are purged per second.
	purgePace = 50
)

// openTrashClock opens the clock for the expiry of deleted objects.
func openTrashClock(stateDir string) (*expiry.Clock, error) {
	file := ""
	if stateDir != "" {
		file = filepath.Join(stateDir, trashClockFile)
	}
	clock, err := expiry.NewClock(file, expiry.System())
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	return clock, nil
}

// keeping wraps the store in one with a trash.
func (m *Mount) keeping(store storage.Store) (*trash.Store, storage.Store) {
	if m.clock == nil {
		return nil, store
	}
	pace := rate.NewLimiter(purgePace, 1)
	kept := trash.New(store, trash.Options{
		Keep: func() time.Duration {
			limits := m.Guard.Limits()
			return limits.Keep()
		},
		Clock: m.clock,
		Pace:  pace.Wait,
	})
	return kept, kept
}

// AcquireTrash is Acquire for the trash of the destination, without its guard; nil without
// a trash.
func (m *Mount) AcquireTrash(ctx context.Context) (*trash.Store, error) {
	if _, err := m.Acquire(ctx); err != nil {
		return nil, err
	}
	return m.Trash(), nil
}

// Trash returns the trash of an acquired destination; nil without a trash.
func (m *Mount) Trash() *trash.Store {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept
}

// Trashed returns the size of the trash, if it was counted since the destination was
// opened.
func (m *Mount) Trashed() (held trash.Held, counted bool) {
	m.mu.Lock()
	kept := m.kept
	m.mu.Unlock()
	if kept == nil {
		return held, false
	}
	held = kept.Held()
	return held, !held.At.IsZero()
}

// trashedBytes returns the size of the trash for people; nil if unknown.
func (m *Mount) trashedBytes() *int64 {
	held, counted := m.Trashed()
	if !counted {
		return nil
	}
	return &held.Bytes
}

// purgeTrash purges expired objects of open destinations, until ctx ends. It opens no
// destination, and skips failing ones.
func (vs *views) purgeTrash(ctx context.Context) {
	next := time.NewTimer(purgeFirst)
	defer next.Stop()
	doubted := false
	for {
		select {
		case <-next.C:
		case <-ctx.Done():
			_ = vs.clock.Keep() // otherwise a restart sees an older time
			return
		}
		if doubts := vs.clock.Doubts(); doubts && !doubted {
			vs.log.Warn("the clock of this host is not believed yet: nothing in the trash expires by it before it has run steadily for a day",
				"hint", "set the clock right if it jumped; after a long pause of the gateway, or without a state directory, nothing needs to be done")
			doubted = true
		} else if !doubts {
			doubted = false
		}
		if err := vs.clock.Keep(); err != nil {
			vs.log.Warn("cannot keep the clock of the trash in the state directory", "err", err, "hint", hintStateDir)
		}
		vs.PurgeTrash(ctx)
		next.Reset(purgePause)
	}
}

// PurgeTrash is one round of purgeTrash.
func (vs *views) PurgeTrash(ctx context.Context) {
	v := vs.latest.Load()
	if v == nil {
		return
	}
	for _, m := range v.Mounts {
		m.purge(ctx)
	}
}

// purge purges expired objects of one destination.
func (m *Mount) purge(ctx context.Context) {
	if !m.Guard.Works() || !m.isOpen() {
		return
	}
	kept, err := m.AcquireTrash(ctx)
	if err != nil {
		return // requests report the error
	}
	defer m.Release()
	if kept == nil {
		return
	}
	if err := kept.LookAtChanged(ctx); err != nil && ctx.Err() == nil {
		m.log.Warn("cannot note what repositories of a destination hold, trying again", "dest", m.Destination.ID, "err", err, "hint", refusal.Hint(err))
	}
	if !kept.Due() {
		return
	}
	done, err := kept.Purge(ctx)
	switch {
	case err != nil && ctx.Err() == nil:
		m.log.Warn("cannot purge what has expired in the trash of a destination, trying again", "dest", m.Destination.ID, "err", err, "hint", refusal.Hint(err))
	case done.Objects > 0:
		m.log.Info("purged what had expired in the trash", "dest", m.Destination.ID, "count", done.Objects, "bytes", done.Bytes)
	}
}

// TellTrash adds the size of the trash, and how to free it, to an error about full storage.
func (m *Mount) TellTrash(ctx context.Context, err error) error {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	held, counted := m.CountTrash(ctx)
	if !counted || held.Bytes == 0 {
		return err
	}
	return &refusal.FullError{Err: err, Destination: m.Destination.ID, Trash: held.Bytes}
}
