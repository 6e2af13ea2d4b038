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

// assistance does what restic does itself from some version on: before a restore
// it removes what stands in the way (before 0.17), and after it, of everything
// that has changed since the restore began, it removes security.* attributes
// (before 0.18), keeps sparse files sparse (before 0.15, and after a restore that
// was interrupted) and counts (before 0.16).
type assistance struct {
	Places []state.Place `json:"places"`
	Remove []string      `json:"remove"` // the paths in the snapshot that stand in the way
	Finish bool          `json:"finish"`
	Sparse bool          `json:"sparse"`
	Since  time.Time     `json:"since"`

	clears   bool
	finishes bool
	volumes  []state.Volume // whose directories Podman knows
	unshared bool           // what is restored belongs to users of Podman's user namespace
}

// assisted is what came of it.
type assisted struct {
	Files    uint64   `json:"files"`
	Bytes    uint64   `json:"bytes"`
	Warnings []string `json:"warnings"`
}

func planAssistance(f restoreFacts, volumes []state.Volume) assistance {
	native, version := f.base.Runtime == restic.Native, f.base.Version
	plan := assistance{
		Sparse: !version.Has(restic.SparseVersion),
		// Which links a pattern means only restic knows.
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

// clear removes links, pipes and devices that the snapshot holds too. Where one
// exists restic before 0.17 fails, and of hard links it silently loses all but
// one.
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

// filesIn are the paths of all that the snapshot holds, as far as it is below one of the
// paths in only, or on the way to one, or of everything where there are none. In place of a
// directory a link may stand, through which an old restic would write.
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

// run does the work, in Podman's user namespace where the files are foreign
// outside of it.
func (a *assistance) run(ctx context.Context) (assisted, error) {
	if err := a.findVolumes(ctx); err != nil {
		return assisted{}, err
	}
	if a.unshared {
		return a.runUnshared(ctx)
	}
	return a.assist()
}

// findVolumes adds the directories of those volumes that exist.
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

// assistFlag makes restore-module do nothing but assist, with an assistance on
// stdin and what came of it on stdout.
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
