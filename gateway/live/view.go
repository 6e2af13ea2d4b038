package live

import (
	"log/slog"
	"maps"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/expiry"
)

// View is one state of the world: what Redis said, and the mounts of its
// destinations. A view never changes; a request uses one from end to end.
type View struct {
	Snapshot *catalog.Snapshot
	Mounts   map[string]*Mount // by destination ID
	// Loaded is when it was made.
	Loaded   time.Time
	replaced chan struct{} // closed when another view has taken its place
}

// NewView makes the view that follows old, which may be nil. Destinations that
// did not change keep their mount, open as it is, under the limits of now; those
// that went or changed are returned as retired.
//
// By clock it is judged when what is deleted there expires; without one nothing is kept.
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

// unchanged reports whether a destination, and every other one that it is built
// on, is the same in both snapshots.
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
