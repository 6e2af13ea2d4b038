package dashboard

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/status"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/page"
)

const (
	// pointsTimeout bounds how long a page waits for a storage.
	pointsTimeout = 4 * time.Second
	// maxPoints bounds how many restore points are shown: the newest.
	maxPoints = 400
)

// restorePoints lists the snapshots of a module on each of its destinations that answers in
// time.
func (d *Dashboard) restorePoints(ctx context.Context, m *status.Module) map[string]page.Points {
	v := d.opts.State.Latest()
	if v == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, pointsTimeout)
	defer cancel()
	var mu sync.Mutex
	var listing sync.WaitGroup
	all := map[string]page.Points{}
	for i := range m.Protections {
		mount := v.Mounts[m.Protections[i].Destination]
		if mount == nil || mount.Destination.PeerNode != "" {
			continue // only its node can list it
		}
		mu.Lock()
		all[mount.Destination.ID] = page.Points{Error: "the storage did not answer in time"}
		mu.Unlock()
		listing.Go(func() {
			points, err := pointsOf(ctx, mount, m.Path())
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				all[mount.Destination.ID] = page.Points{Points: points}
			case ctx.Err() == nil:
				all[mount.Destination.ID] = page.Points{Error: "the storage refused, or is not reached; its page says more"}
			}
		})
	}
	done := make(chan struct{})
	go func() { listing.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done(): // some storages ignore ctx
	}
	mu.Lock()
	defer mu.Unlock()
	return maps.Clone(all)
}

// pointsOf lists the snapshots of a repository.
func pointsOf(ctx context.Context, mount *live.Mount, repo string) ([]page.Point, error) {
	store, err := mount.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer mount.Release()
	var points []page.Point
	err = store.List(ctx, repo+"/snapshots", func(info fs.FileInfo) error {
		points = append(points, page.Point{ID: info.Name(), Received: info.ModTime()})
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	slices.SortFunc(points, func(a, b page.Point) int {
		return cmp.Or(b.Received.Compare(a.Received), strings.Compare(a.ID, b.ID))
	})
	return points[:min(len(points), maxPoints)], nil
}
