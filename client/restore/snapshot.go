package restore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// restoreSource describes the snapshot for a restore.
type restoreSource struct {
	id      string
	time    time.Time
	folder  string   // the folder in it that holds state and volumes, "" for its root
	volumes []string // the names below volumes, sorted
}

// short returns the snapshot's ID for people.
func (s restoreSource) short() string { return restic.ShortID(s.id) }

// findSnapshot inspects the snapshot called name, or the latest. It must contain all of
// paths.
func findSnapshot(ctx context.Context, base restic.Invocation, name string, paths []string) (restoreSource, error) {
	name = cmp.Or(name, "latest")
	// Snapshots of absolute paths contain every directory on the way to them.
	folders := slices.Compact([]string{"", base.Dir, run.ContainerRoot})
	found, err := list(ctx, base, name, dirsOf(folders, paths))
	if err != nil {
		return restoreSource{}, snapshotError(base.Repository, name, err)
	}
	if found.snapshot.ID == "" {
		return restoreSource{}, fmt.Errorf("repository %s: restic ls does not tell the snapshot", base.Repository)
	}
	s := restoreSource{id: found.snapshot.ID, time: found.snapshot.Time}
	i := slices.IndexFunc(folders, func(f string) bool {
		return found.has(path.Join("/", f, "state")) || found.has(path.Join("/", f, "volumes"))
	})
	if i < 0 {
		return s, exit.Failf(exit.NotFound, "snapshot %s holds neither state nor volumes: it is not a module backup", s.short())
	}
	s.folder = folders[i]
	for _, p := range paths {
		if !found.has(path.Join("/", s.folder, p)) {
			return s, exit.Failf(exit.NotFound, "snapshot %s does not hold %s", s.short(), p)
		}
	}
	s.volumes = found.below(path.Join("/", s.folder, "volumes"))
	return s, nil
}

// dirsOf returns the directories to list: each folder for state and volumes, volumes for
// names, and the parents of paths.
func dirsOf(folders, paths []string) []string {
	dirs := []string{"/"}
	for _, folder := range folders {
		dirs = append(dirs, path.Join("/", folder), path.Join("/", folder, "volumes"))
		for _, p := range paths {
			dirs = append(dirs, path.Join("/", folder, path.Dir(p)))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// list lists those directories of a snapshot.
func list(ctx context.Context, base restic.Invocation, snapshot string, dirs []string) (listing, error) {
	var found listing
	out := restic.NewLines(found.add)
	err := base.With(append([]string{"ls", "--json", "--no-lock", snapshot}, dirs...)...).Run(ctx, restic.Streams{Stdout: out})
	out.Flush()
	return found, err
}

// snapshotError distinguishes a missing snapshot from other failures.
func snapshotError(repository restic.Repository, name string, err error) error {
	failure, ok := errors.AsType[*restic.Failure](err)
	if ok && (strings.Contains(failure.Detail, "no matching ID found") || strings.Contains(failure.Detail, "no snapshot found")) {
		return exit.Failf(exit.NotFound, "repository %s: there is no snapshot %s", repository, name)
	}
	return run.ResticError(repository, err)
}

// listing is the output of restic ls --json.
type listing struct {
	snapshot struct {
		ID   string    `json:"id"`
		Time time.Time `json:"time"`
	}
	paths map[string]bool
}

func (l *listing) add(line []byte) {
	var node struct {
		Kind string `json:"struct_type"`
		Path string `json:"path"`
	}
	if json.Unmarshal(line, &node) != nil {
		return
	}
	switch node.Kind {
	case "snapshot":
		_ = json.Unmarshal(line, &l.snapshot)
	case "node":
		if l.paths == nil {
			l.paths = map[string]bool{}
		}
		l.paths[node.Path] = true
	}
}

func (l *listing) has(p string) bool { return l.paths[p] }

// below returns the sorted names directly in dir.
func (l *listing) below(dir string) []string {
	var names []string
	for p := range l.paths {
		if path.Dir(p) == dir {
			names = append(names, path.Base(p))
		}
	}
	slices.Sort(names)
	return names
}
