package restore

import (
	"cmp"
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/state"
)

// assistance does work that newer versions of restic do themselves. Before a restore it
// removes what is in the way (before 0.17). Afterwards, for all files changed since the
// restore began, it removes security.* attributes (before 0.18), makes sparse files sparse
// again (before 0.15, and after an interrupted restore) and counts (before 0.16).
type assistance struct {
	Places []state.Place `json:"places"`
	Remove []string      `json:"remove"` // paths in the snapshot that are in the way
	Finish bool          `json:"finish"`
	Sparse bool          `json:"sparse"`
	Since  time.Time     `json:"since"`

	clears   bool
	finishes bool
	volumes  []state.Volume // volumes with directories known to Podman
	unshared bool           // restored files belong to users of Podman's user namespace
}

// assisted is the result of an assistance.
type assisted struct {
	Files    uint64   `json:"files"`
	Bytes    uint64   `json:"bytes"`
	Warnings []string `json:"warnings"`
}

func planAssistance(f restoreFacts, volumes []state.Volume) assistance {
	native, version := f.base.Runtime == restic.Native, f.base.Version
	plan := assistance{
		Sparse: !version.Has(restic.SparseVersion),
		// Only restic knows which links a pattern matches.
		clears:   !version.Has(restic.OverwriteVersion) && len(f.opts.include) == 0,
		finishes: !version.Has(restic.ExcludeXattrVersion),
		unshared: !native && !f.rootfull,
	}
	root := cmp.Or(f.opts.target, f.base.Dir)
	switch {
	case f.opts.target != "" || native:
		plan.Places = []state.Place{{Path: "state", Dir: filepath.Join(root, "state")}, {Path: "volumes", Dir: filepath.Join(root, "volumes")}}
	default:
		plan.Places = []state.Place{{Path: "state", Dir: f.module.StateDir}}
		plan.volumes = state.WithoutPlaced(volumes, f.base)
	}
	if f.opts.target == "" {
		plan.Places = append(plan.Places, state.Placed(f.base)...)
	}
	return plan
}

// clear removes links, pipes and devices that are also in the snapshot. If one exists,
// restic before 0.17 fails, and silently loses all but one of several hard links.
func (a *assistance) clear(ctx context.Context, base restic.Invocation, source restoreSource, only []string) error {
	if !a.clears {
		return nil
	}
	files, err := filesIn(ctx, base, source, only)
	if err != nil || len(files) == 0 {
		return err
	}
	before := *a
	before.Remove = files
	_, err = before.run(ctx)
	return err
}

// filesIn returns the paths in the snapshot that are below one of the paths in only or lead
// to one; an empty only selects everything. It includes directories: a link may have
// replaced one, and an old restic would write through it.
func filesIn(ctx context.Context, base restic.Invocation, source restoreSource, only []string) ([]string, error) {
	var paths []string
	out := restic.NewLines(func(line []byte) {
		var node struct {
			Kind string `json:"struct_type"`
			Path string `json:"path"`
		}
		if json.Unmarshal(line, &node) != nil || node.Kind != "node" {
			return
		}
		relative := strings.TrimPrefix(strings.TrimPrefix(node.Path, source.folder), "/")
		wanted := func(p string) bool {
			return relative == p || strings.HasPrefix(relative, p+"/") || strings.HasPrefix(p, relative+"/")
		}
		if len(only) == 0 || slices.ContainsFunc(only, wanted) {
			paths = append(paths, relative)
		}
	})
	err := base.With("ls", "--json", "--no-lock", source.id).Run(ctx, restic.Streams{Stdout: out})
	out.Flush()
	return paths, err
}

// finish completes a restore that began at started.
func (a *assistance) finish(ctx context.Context, started time.Time) (assisted, error) {
	if !a.finishes {
		return assisted{}, nil
	}
	after := *a
	after.Remove, after.Finish, after.Since = nil, true, started
	return after.run(ctx)
}

// run does the work, in Podman's user namespace if the files have foreign owners outside of
// it.
func (a *assistance) run(ctx context.Context) (assisted, error) {
	if err := a.findVolumes(ctx); err != nil {
		return assisted{}, err
	}
	if a.unshared {
		return a.runUnshared(ctx)
	}
	return a.assist()
}

// findVolumes adds the directories of the existing volumes.
func (a *assistance) findVolumes(ctx context.Context) error {
	if len(a.volumes) == 0 {
		return nil
	}
	existing, err := state.ListPodmanVolumes(ctx)
	if err != nil {
		return err
	}
	places, err := state.VolumeDirs(ctx, slices.DeleteFunc(slices.Clone(a.volumes), func(v state.Volume) bool {
		return !slices.Contains(existing, v.Podman)
	}))
	a.Places = append(a.Places, places...)
	return err
}

// assistFlag makes restore-module only perform an assistance, which comes on stdin; the
// result goes to stdout.
const assistFlag = "assist"

func (a *assistance) runUnshared(ctx context.Context) (assisted, error) {
	var done assisted
	err := state.InPodmanNamespace(ctx, "restore-module", assistFlag, a, &done)
	return done, err
}

func runAssist(sys *host.System) error {
	var a assistance
	if err := json.NewDecoder(sys.Stdin).Decode(&a); err != nil {
		return exit.With(exit.Usage, err)
	}
	done, err := a.assist()
	if err != nil {
		return err
	}
	return json.NewEncoder(sys.Stdout).Encode(done)
}
