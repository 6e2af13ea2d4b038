package coverage

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
)

const (
	// lookPause is the pause between rounds. The first round waits as long too, so that a
	// restart does not open every destination at once.
	lookPause = 2 * time.Minute
	// heldExpires is how long a snapshot that was seen counts.
	heldExpires = 6 * time.Hour
	// lookTimeout bounds the look at one repository, and looks how many are looked at
	// concurrently.
	lookTimeout = time.Minute
	looks       = 2
)

// place is a repository on a destination.
type place struct{ destination, repo string }

// Coverage is what is known about the repositories of scheduled modules.
type Coverage struct {
	nodeID string
	latest func() *live.View
	log    *slog.Logger

	mu     sync.Mutex
	held   map[place]time.Time // when a snapshot was last known to exist
	none   map[place]bool      // had no snapshot at the last look
	newest map[place]time.Time // latest known receipt of a snapshot
}

// New returns a Coverage for the modules that a node is responsible for; with "" for all
// modules.
func New(nodeID string, latest func() *live.View, log *slog.Logger) *Coverage {
	return &Coverage{nodeID: nodeID, latest: latest, log: log, held: make(map[place]time.Time), none: make(map[place]bool), newest: make(map[place]time.Time)}
}

// Run looks periodically until ctx ends.
func (c *Coverage) Run(ctx context.Context) {
	ticks := time.NewTicker(lookPause)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			c.Look(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// Saved records that a snapshot was saved.
func (c *Coverage) Saved(destination, repo string) {
	c.received(place{destination, repo}, time.Now())
	c.found(place{destination, repo}, true)
}

// Newest returns the latest known receipt of a snapshot of a repository; zero if none is
// known.
func (c *Coverage) Newest(destination, repo string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newest[place{destination, repo}]
}

// received records the receipt of a snapshot.
func (c *Coverage) received(at place, received time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if received.After(c.newest[at]) {
		c.newest[at] = received
	}
}

// Status counts the modules of one schedule by whether they have a backup.
type Status struct {
	Schedule, Destination string
	// Held have a snapshot, None have none; Unknown are those about which the storage did
	// not answer, or was not asked yet.
	Held, None, Unknown int
}

// Status returns the status of every enabled schedule, for the modules that this node is
// responsible for.
func (c *Coverage) Status() []Status {
	v := c.latest()
	if v == nil {
		return nil
	}
	var all []Status
	for _, s := range v.Snapshot.Schedules {
		if v.Mounts[s.Destination] == nil && v.Snapshot.Broken[s.Destination] == "" {
			continue // removed meanwhile
		}
		status := Status{Schedule: s.ID, Destination: s.Destination}
		for _, m := range c.modules(v, s) {
			switch held, none := c.known(s.Destination, m.Own); {
			case held:
				status.Held++
			case none:
				status.None++
			default:
				status.Unknown++
			}
		}
		all = append(all, status)
	}
	return all
}

// modules returns the modules of a schedule that this node is responsible for: all of them
// if the destination is on its disk, otherwise those that run here. It skips modules
// without a user or a UUID.
func (c *Coverage) modules(v *live.View, s catalog.Schedule) (modules []*catalog.Principal) {
	mount := v.Mounts[s.Destination]
	if mount != nil && mount.Destination.PeerNode != "" {
		return nil
	}
	ownDisk := mount != nil && mount.Destination.Provider == catalog.ProviderCluster
	for _, id := range s.Modules {
		m := v.Snapshot.Principals["module/"+id]
		if m == nil || len(m.Own) == 0 {
			continue
		}
		if ownDisk || c.nodeID == "" || m.Node == "" || m.Node == c.nodeID {
			modules = append(modules, m)
		}
	}
	return modules
}

// known reports whether a repository of the module has a snapshot, and whether it is known
// that none has.
func (c *Coverage) known(destination string, repos []string) (held, none bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	none = true
	for _, repo := range repos {
		at := place{destination, repo}
		if time.Since(c.held[at]) < heldExpires {
			return true, false
		}
		none = none && c.none[at]
	}
	return false, none
}

// Look is one round: it asks the storage about modules without a known snapshot.
func (c *Coverage) Look(ctx context.Context) {
	v := c.latest()
	if v == nil {
		return
	}
	var round errgroup.Group
	round.SetLimit(looks)
	asked := make(map[place]bool)
	for _, s := range v.Snapshot.Schedules {
		mount := v.Mounts[s.Destination]
		if mount == nil {
			continue
		}
		for _, m := range c.modules(v, s) {
			at := place{s.Destination, m.Own[0]} // of two names of an app the first one counts for both
			if held, _ := c.known(s.Destination, m.Own); held || asked[at] {
				continue
			}
			asked[at] = true
			round.Go(func() error {
				c.lookAt(ctx, mount, s.ID, m)
				return nil
			})
		}
	}
	_ = round.Wait() // none returns an error
	c.forget(v)
}

// lookAt asks the storage for the snapshots of one module. A storage that fails logs that
// itself, and is asked again in the next round.
func (c *Coverage) lookAt(ctx context.Context, mount *live.Mount, schedule string, m *catalog.Principal) {
	if report := mount.Guard.Report(); report.Used && !report.Works {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	store, err := mount.Acquire(ctx)
	if err != nil {
		return
	}
	defer mount.Release()
	news := true
	for _, repo := range m.Own {
		at, held := place{mount.Destination.ID, repo}, false
		err := store.List(ctx, repo+"/snapshots", func(info fs.FileInfo) error {
			held = true
			c.received(at, info.ModTime())
			return nil
		})
		if held {
			c.found(at, true)
			return
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
		news = c.found(place{mount.Destination.ID, repo}, false) && news
	}
	if news {
		c.log.Info("a scheduled module has no backup yet", "user", m.Name, "dest", mount.Destination.ID, "repo", m.Own[0],
			"schedule", schedule, "hint", "if its time has passed, look at the timer that starts module-backup, and at its output")
	}
}

// found records whether a repository has a snapshot, and reports whether that is new.
func (c *Coverage) found(at place, held bool) (news bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	news = c.none[at] == held
	if held {
		c.held[at] = time.Now()
		delete(c.none, at)
	} else {
		c.none[at] = true
		delete(c.held, at)
	}
	return news
}

// forget drops what is known about removed destinations.
func (c *Coverage) forget(v *live.View) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at := range c.held {
		if v.Mounts[at.destination] == nil {
			delete(c.held, at)
		}
	}
	for at := range c.none {
		if v.Mounts[at.destination] == nil {
			delete(c.none, at)
		}
	}
	for at := range c.newest {
		if v.Mounts[at.destination] == nil {
			delete(c.newest, at)
		}
	}
}
