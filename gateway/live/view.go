package live

import (
	"log/slog"
	"maps"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/expiry"
)

// View is one state: the content of Redis, and the mounts of its destinations. A view never
// changes; a request uses one view throughout.
type View struct {
	Snapshot *catalog.Snapshot
	Mounts   map[string]*Mount // by destination ID
	// Loaded is when it was loaded.
	Loaded   time.Time
	replaced chan struct{} // closed when another view has replaced it
}

// NewView returns the view after old, which may be nil. Unchanged destinations keep their
// mount, with its open store and the new limits; the mounts of removed and changed ones are
// returned as retired.
//
// clock decides when deleted objects expire; without one there is no trash.
func NewView(old *View, snapshot *catalog.Snapshot, open Opener, clock *expiry.Clock, log *slog.Logger) (next *View, retired []*Mount) {
	next = &View{
		Snapshot: snapshot,
		Mounts:   make(map[string]*Mount, len(snapshot.Destinations)),
		Loaded:   time.Now(),
		replaced: make(chan struct{}),
	}
	for id, destination := range snapshot.Destinations {
		if old != nil && old.Mounts[id] != nil && unchanged(old.Snapshot, snapshot, id) {
			next.Mounts[id] = old.Mounts[id]
			continue
		}
		next.Mounts[id] = newMount(destination, open, clock, log)
	}
	for id, mount := range next.Mounts {
		mount.Guard.SetLimits(snapshot.Limits[id])
	}
	if old != nil {
		for id, mount := range old.Mounts {
			if next.Mounts[id] != mount {
				retired = append(retired, mount)
			}
		}
	}
	return next, retired
}

// unchanged reports whether a destination, and every other one that it refers to, is the
// same in both snapshots.
func unchanged(a, b *catalog.Snapshot, id string) bool {
	uses := b.Foundations(id)
	if !maps.Equal(uses, a.Foundations(id)) {
		return false
	}
	for id := range uses {
		if !a.Destinations[id].Equal(b.Destinations[id]) {
			return false
		}
	}
	return true
}
