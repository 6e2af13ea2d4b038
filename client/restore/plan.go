package restore

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/state"
)

// restoreFacts is the input of a plan.
type restoreFacts struct {
	module   host.Module
	rootfull bool
	includes state.Includes
	base     restic.Invocation
	snapshot restoreSource
	opts     *restoreOptions
}

// restorePlan is what a restore will do.
type restorePlan struct {
	restic   restic.Invocation
	snapshot restoreSource
	partial  bool
	dirs     []string // to create before
	assist   assistance
	warnings []string
}

// planRestore computes the plan. It does no I/O.
func planRestore(f restoreFacts) (restorePlan, error) {
	plan := restorePlan{restic: f.base, snapshot: f.snapshot, partial: f.opts.partial(), warnings: f.includes.Warnings}
	volumes, err := plan.volumes(f)
	if err != nil {
		return plan, err
	}
	plan.place(f, volumes)
	source := f.snapshot.id
	if f.snapshot.folder != "" {
		if !f.base.Version.Has(restic.SubfolderVersion) {
			return plan, exit.Failf(exit.Failed, "snapshot %s holds the module below %s: restic before 0.16 cannot restore that", f.snapshot.id, f.snapshot.folder)
		}
		source += ":" + f.snapshot.folder
	}
	plan.restic.Args = append([]string{"restore", "--json", source, "--target", "."}, restoreFlags(f)...)
	plan.assist = planAssistance(f, volumes)
	return plan, nil
}

// volumes returns the volumes that state-include.conf or the snapshot names.
func (p *restorePlan) volumes(f restoreFacts) ([]state.Volume, error) {
	names := slices.Concat(f.includes.VolumeNames(), f.snapshot.volumes)
	slices.Sort(names)
	var volumes []state.Volume
	for _, name := range slices.Compact(names) {
		if !state.VolumePattern.MatchString(name) {
			p.warnings = append(p.warnings, fmt.Sprintf("the snapshot holds volumes/%q, which cannot be the name of a volume: not restored", name))
			continue
		}
		v, err := state.ModuleVolume(f.module.ID, f.rootfull, name)
		if err != nil {
			return nil, err
		}
		volumes = append(volumes, v)
	}
	return volumes, nil
}

// place tells restic where to write.
func (p *restorePlan) place(f restoreFacts, volumes []state.Volume) {
	native := f.base.Runtime == restic.Native
	switch {
	case f.opts.target != "" && native:
		p.restic.Dir, p.restic.Mounts, p.dirs = f.opts.target, nil, []string{f.opts.target}
	case f.opts.target != "":
		p.restic.Mounts = []restic.Mount{{Source: f.opts.target, Target: run.ContainerRoot}}
		p.dirs = []string{f.opts.target}
	case native:
		// Restic creates the snapshot's directories itself.
	default:
		p.restic.Mounts = slices.Clone(f.base.Mounts)
		for _, v := range state.WithoutPlaced(volumes, f.base) {
			p.restic.Mounts = append(p.restic.Mounts, run.VolumeMount(v))
		}
	}
}

func (p *restorePlan) makeDirs() error {
	for _, dir := range p.dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make the target directory: %w", err)
		}
	}
	return nil
}

// refuseLinks refuses links through which an old restic would write outside of the given
// directory.
func (p *restorePlan) refuseLinks() error {
	if p.restic.Version.Has(restic.OverwriteVersion) {
		return nil
	}
	for _, dir := range p.dirs {
		for _, top := range []string{"state", "volumes"} {
			name := filepath.Join(dir, top)
			if info, err := os.Lstat(name); err == nil && info.Mode().Type() == fs.ModeSymlink {
				return exit.Failf(exit.Usage, "%s is a symbolic link, through which restic before 0.17 would write: remove it", name)
			}
		}
	}
	return nil
}

// restoreFlags returns the options of restic restore. Patterns begin with a slash, since an
// application may have another state/environment deeper down.
func restoreFlags(f restoreFacts) []string {
	var flags []string
	for _, p := range f.opts.paths {
		// A replacement character in a path matches the byte that is not UTF-8, like any
		// other character.
		flags = append(flags, "--include=/"+strings.ReplaceAll(state.EscapePattern(p), string(utf8.RuneError), "?"))
	}
	for _, pattern := range f.opts.include {
		flags = append(flags, "--include="+pattern)
	}
	// Restic does not combine includes and excludes.
	if len(flags) == 0 && f.opts.target == "" {
		flags = append(flags, "--exclude=/state/environment")
	}
	if f.opts.verify {
		flags = append(flags, "--verify")
	}
	version := f.base.Version
	if version.Has(restic.ExcludeXattrVersion) {
		flags = append(flags, "--exclude-xattr=security.*")
	}
	if version.Has(restic.SparseVersion) {
		flags = append(flags, "--sparse")
	}
	if version.Has(restic.RetryLockVersion) {
		flags = append(flags, f.opts.wait.ResticFlag())
	}
	return flags
}
