package points

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/inventory"
	"github.com/rclone-gateway/rclone-gateway/client/locate"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/snapshot"
)

// place holds the options that select a module's repository.
type place struct {
	choice locate.Choice
	wait   run.Waiting
}

// addFlags adds the options to a command whose first argument is a module.
func (p *place) addFlags(sys *host.System, cmd *cobra.Command) {
	p.choice.AddPlaceFlags(cmd.Flags())
	p.wait.AddFlag(cmd.Flags())
	names.CompleteFlag(cmd, "destination", names.Complete(sys, names.DestinationEntries, names.AnyNumber))
	names.CompleteFlag(cmd, "backup", names.Complete(sys, names.ScheduleEntries, names.AnyNumber))
	cmd.ValidArgsFunction = names.Complete(sys, names.ModuleEntries, 1)
}

// opened is a repository that a command reads.
type opened struct {
	place  locate.Place
	found  inventory.Repository
	source snapshot.Source
	cache  snapshot.Cache
}

// open finds the repository that a word names, a module or APP/UUID.
func (p *place) open(ctx context.Context, sys *host.System, word string) (*opened, error) {
	rdb, err := p.wait.Redis(ctx, sys)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rdb.Close() }()
	choice := p.choice
	if err := choice.Name(ctx, rdb, word); err != nil {
		return nil, err
	}
	o := &opened{cache: snapshot.OpenCache(sys.Env)}
	if o.place, err = choice.Place(ctx, sys, rdb); err != nil {
		return nil, err
	}
	o.source, err = source(ctx, sys, rdb, o.place, resticOnce(sys))
	if err != nil {
		return nil, err
	}
	gateway, err := inventory.NewGateway(sys.Env)
	if err != nil {
		return nil, err
	}
	o.found, err = gateway.Look(ctx, o.place.Destination, o.place.App, o.place.UUID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, exit.Failf(exit.NotFound, "there is no repository %s on destination %s: nothing was backed up to it%s", o.place.Path(), o.place.Destination, o.source.Repository.Remedy())
	}
	return o, err
}

// source returns a repository as package snapshot reads it.
func source(ctx context.Context, sys *host.System, rdb *redis.Client, place locate.Place, command func(context.Context) (restic.Invocation, error)) (snapshot.Source, error) {
	repository, err := place.Open(ctx, sys, rdb)
	return snapshot.Source{Repository: repository, Command: command}, err
}

// resticOnce prepares restic at the first use; many commands do without.
func resticOnce(sys *host.System) func(context.Context) (restic.Invocation, error) {
	var mu sync.Mutex
	var known bool
	var command restic.Invocation
	number := 0
	return func(ctx context.Context) (restic.Invocation, error) {
		mu.Lock()
		defer mu.Unlock()
		if !known {
			var err error
			if command, err = locate.Invocation(ctx, sys); err != nil {
				return command, err
			}
			known = true
		}
		own := command
		if own.Name != "" {
			number++
			own.Name = fmt.Sprintf("%s-%d", own.Name, number) // several run concurrently
		}
		return own, nil
	}
}

// ids returns the IDs of all snapshots.
func ids(r inventory.Repository) []string {
	all := make([]string, len(r.Snapshots))
	for i, s := range r.Snapshots {
		all[i] = s.Name
	}
	return all
}

// list returns all snapshots.
func (o *opened) list(ctx context.Context) (snapshot.Listing, error) {
	return o.cache.List(ctx, o.source, ids(o.found))
}

var snapshotPrefix = regexp.MustCompile(`^[0-9a-f]{4,64}$`)

// latest names the last snapshot.
const latest = "latest"

// snapshotNamed returns the complete ID of the snapshot that a word names.
func (o *opened) snapshotNamed(ctx context.Context, word string) (string, error) {
	if len(o.found.Snapshots) == 0 {
		return "", exit.Failf(exit.NotFound, "repository %s holds no snapshot", o.source.Repository)
	}
	if word == latest {
		l, err := o.list(ctx)
		if err != nil {
			return "", err
		}
		if len(l.Snapshots) == 0 {
			return "", exit.Failf(exit.Failed, "repository %s: restic can read none of its %d snapshots", o.source.Repository, len(l.Unreadable))
		}
		return l.Snapshots[len(l.Snapshots)-1].ID, nil
	}
	if !snapshotPrefix.MatchString(word) {
		return "", exit.Failf(exit.Usage, "%q is not a snapshot: give four or more digits of its ID, or %q", word, latest)
	}
	var found []string
	for _, id := range ids(o.found) {
		if strings.HasPrefix(id, word) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", exit.Failf(exit.NotFound, "repository %s: there is no snapshot %s (gatewayctl snapshot list %s)", o.source.Repository, word, o.word())
	}
	return "", exit.Failf(exit.Usage, "%d snapshots begin with %s: give more of its ID", len(found), word)
}

// word returns the repository's name for people.
func (o *opened) word() string {
	if o.place.Module != "" {
		return o.place.Module
	}
	return o.place.Path()
}
