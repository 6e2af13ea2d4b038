package drill

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/locate"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/state"
)

// subject is what a drill is about.
type subject struct {
	place  locate.Place
	module host.Module // its state directory holds the notes of our restic runs
	base   restic.Invocation
	// own is true if we run as the module: its source and its commands are here.
	own bool
}

// rootfull reports whether Podman's files belong to us.
func rootfull() bool { return os.Geteuid() == 0 }

// unshared reports whether restored files have their owners only in Podman's user
// namespace.
func (s *subject) unshared() bool { return s.base.Runtime == restic.Podman && !rootfull() }

// withoutCache gives restic an empty cache. Cached data could hide that the repository has
// lost it.
func (s *subject) withoutCache(place *spot) {
	dir := filepath.Join(place.dir, "cache")
	if s.base.Runtime == restic.Podman {
		dir = "/tmp/restic-cache" // removed with the container
	}
	s.base.Env = append(slices.Clone(s.base.Env), "RESTIC_CACHE_DIR="+dir)
}

// ownSubject returns the module that we run as.
func ownSubject(ctx context.Context, sys *host.System, m host.Module, place locate.Place, repository restic.Repository) (*subject, error) {
	base, err := run.ResticOptions{}.NewInvocation(ctx, sys, m)
	base.Repository = repository
	return &subject{place: place, module: m, base: base, own: true}, err
}

// otherSubject returns a repository of another module. Notes go into the directory home.
func otherSubject(ctx context.Context, sys *host.System, place locate.Place, repository restic.Repository, home string) (*subject, error) {
	base, err := locate.Invocation(ctx, sys)
	base.Repository = repository
	if base.Runtime == restic.Podman {
		base.Dir = run.ContainerRoot
	}
	id := place.Module
	if id == "" {
		id = place.App
	}
	return &subject{place: place, module: host.Module{ID: id, UUID: place.UUID, App: place.App, StateDir: home}, base: base}, err
}

// sources returns the existing directories that the module is saved from.
func (s *subject) sources(ctx context.Context) ([]state.Place, error) {
	if !s.own {
		return nil, nil
	}
	places := []state.Place{{Path: "state", Dir: s.module.StateDir}}
	places = append(places, state.Placed(s.base)...)
	if s.base.Runtime == restic.Native {
		volumes, err := filepath.Glob(filepath.Join(s.base.Dir, "volumes", "*"))
		for _, dir := range volumes {
			places = append(places, state.Place{Path: path.Join("volumes", filepath.Base(dir)), Dir: dir})
		}
		return places, err
	}
	existing, err := state.ListPodmanVolumes(ctx)
	if err != nil {
		return places, err
	}
	volumes := state.WithoutPlaced(state.ModuleVolumes(s.module.ID, rootfull(), existing), s.base)
	more, err := state.VolumeDirs(ctx, volumes)
	return append(places, more...), err
}
