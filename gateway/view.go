package gateway

import (
	"log/slog"
	"maps"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// view is one state of the world: what Redis said, and the stores of its
// destinations. A view never changes; a request uses one from end to end.
type view struct {
	snapshot *catalog.Snapshot
	stores   map[string]*store // by destination ID
	loaded   time.Time
	replaced chan struct{} // closed when another view has taken its place
}

// newView makes the view that follows old, which may be nil. Destinations that
// did not change keep their store, open as it is, under the limits of now; those
// that went or changed are returned as retired.
func newView(old *view, snapshot *catalog.Snapshot, open opener, log *slog.Logger) (next *view, retired []*store) {
	next = &view{
		snapshot: snapshot,
		stores:   make(map[string]*store, len(snapshot.Destinations)),
		loaded:   time.Now(),
		replaced: make(chan struct{}),
	}
	for id, destination := range snapshot.Destinations {
		if old != nil && old.stores[id] != nil && unchanged(old.snapshot, snapshot, id) {
			next.stores[id] = old.stores[id]
			continue
		}
		next.stores[id] = newStore(destination, open, log)
	}
	for id, store := range next.stores {
		store.guard.SetLimits(snapshot.Limits[id])
	}
	if old != nil {
		for id, store := range old.stores {
			if next.stores[id] != store {
				retired = append(retired, store)
			}
		}
	}
	return next, retired
}

// unchanged tells whether a destination, and every other one that it is built
// upon, is the same in both snapshots.
func unchanged(a, b *catalog.Snapshot, id string) bool {
	uses := foundations(b, id)
	if !maps.Equal(uses, foundations(a, id)) {
		return false
	}
	for id := range uses {
		if !a.Destinations[id].Equal(b.Destinations[id]) {
			return false
		}
	}
	return true
}

// foundations returns id and the destinations that its section names, as crypt,
// alias, combine and union do with "remote = ID:path", and theirs in turn.
func foundations(s *catalog.Snapshot, id string) map[string]bool {
	found := map[string]bool{}
	for queue := []string{id}; len(queue) > 0; queue = queue[1:] {
		destination := s.Destinations[queue[0]]
		if destination == nil || found[queue[0]] {
			continue
		}
		found[queue[0]] = true
		for _, value := range destination.Section {
			queue = append(queue, remotesIn(value)...)
		}
	}
	return found
}

// remotesIn returns the destination IDs that stand before a colon in the value
// of a section, as in "remote = ID:path" or "upstreams = a=ID:x b=ID:y".
func remotesIn(value string) []string {
	const idLength = 36
	var ids []string
	for i := range len(value) {
		if value[i] == ':' && i >= idLength {
			ids = append(ids, value[i-idLength:i])
		}
	}
	return ids
}
