package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// PlacedVolume is a volume of a module outside of the module's directory.
type PlacedVolume struct {
	Name   string // as in state-include.conf, after volumes/
	Source string // an absolute path, or ENGINE:VOLUME
}

// engines are the container engines that have named volumes.
var engines = []string{"docker", "podman"}

// VolumesFile holds NAME=SOURCE lines below the install directory.
const VolumesFile = "etc/volumes.conf"

// readPlacedVolumes reads the module's placed volumes, sorted by name.
func readPlacedVolumes(installDir string) ([]PlacedVolume, error) {
	name := filepath.Join(installDir, VolumesFile)
	lines, err := readPatternFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the module's volumes: %w", err)
	}
	var volumes []PlacedVolume
	for _, line := range lines {
		v, err := ParsePlacedVolume(line)
		if err != nil {
			return nil, exit.Failf(exit.Usage, "%s: %w", name, err)
		}
		volumes = withPlaced(volumes, v)
	}
	return volumes, nil
}

// withPlaced returns the volumes with v added, replacing one of the same name.
func withPlaced(volumes []PlacedVolume, v PlacedVolume) []PlacedVolume {
	volumes = slices.DeleteFunc(slices.Clone(volumes), func(o PlacedVolume) bool { return o.Name == v.Name })
	volumes = append(volumes, v)
	slices.SortFunc(volumes, func(a, b PlacedVolume) int { return strings.Compare(a.Name, b.Name) })
	return volumes
}

// ParsePlacedVolume parses NAME=PATH, NAME=docker:VOLUME or NAME=podman:VOLUME.
func ParsePlacedVolume(text string) (PlacedVolume, error) {
	name, source, _ := strings.Cut(text, "=")
	v := PlacedVolume{name, source}
	engine, volume := v.engine()
	switch {
	case !VolumePattern.MatchString(name) || source == "":
		return v, fmt.Errorf("%q is not NAME=PATH, such as data=/srv/app/data", text)
	case filepath.IsAbs(source) && !strings.ContainsAny(source, ":\n"):
		v.Source = filepath.Clean(source)
		return v, nil
	case engine == "" && !VolumePattern.MatchString(source), engine != "" && !VolumePattern.MatchString(volume):
		return v, fmt.Errorf("%q is neither a path that begins with /, without colons, nor the name of a volume", source)
	default:
		return v, nil
	}
}

// engine returns the volume's engine, if it names one, and its name there.
func (v PlacedVolume) engine() (engine, volume string) {
	for _, engine := range engines {
		if volume, ok := strings.CutPrefix(v.Source, engine+":"); ok {
			return engine, volume
		}
	}
	return "", v.Source
}

// Settle finds the engine of a volume without one, and checks that the volume exists.
func (v PlacedVolume) Settle(ctx context.Context) (PlacedVolume, error) {
	if engine, _ := v.engine(); filepath.IsAbs(v.Source) || engine != "" {
		_, err := v.dir(ctx)
		return v, err
	}
	var known []PlacedVolume
	for _, engine := range engines {
		candidate := PlacedVolume{v.Name, engine + ":" + v.Source}
		if _, err := candidate.dir(ctx); err == nil {
			known = append(known, candidate)
		}
	}
	switch len(known) {
	case 0:
		return v, exit.Failf(exit.NotFound, "neither docker nor podman knows a volume %s: is it another user's? A directory begins with /", v.Source)
	case 1:
		return known[0], nil
	default:
		return v, exit.Failf(exit.Usage, "docker and podman each know a volume %s: say %s or %s", v.Source, known[0].Source, known[1].Source)
	}
}

// dir returns the directory of the volume, with links resolved.
func (v PlacedVolume) dir(ctx context.Context) (string, error) {
	dir := v.Source
	if engine, volume := v.engine(); engine != "" {
		output, err := exec.CommandContext(ctx, engine, "volume", "inspect", "--format={{.Mountpoint}}", "--", volume).Output()
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			return "", exit.Failf(exit.NotFound, "volume %s: %s: %s", v.Name, engine, strings.TrimSpace(string(failed.Stderr)))
		}
		if err != nil {
			return "", exit.Failf(exit.NotFound, "volume %s: %w", v.Name, err)
		}
		dir = strings.TrimSpace(string(output))
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", exit.Failf(exit.NotFound, "volume %s is not there: %w", v.Name, err)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", exit.Failf(exit.NotFound, "volume %s: %s is not a directory", v.Name, dir)
	}
	return dir, nil
}

// PlaceVolumes mounts the placed volumes of a module for restic.
func PlaceVolumes(ctx context.Context, installDir string, base *restic.Invocation) error {
	volumes, err := readPlacedVolumes(installDir)
	if err != nil {
		return err
	}
	for _, v := range volumes {
		dir, err := v.dir(ctx)
		if err != nil {
			return err
		}
		target := path.Join(base.Dir, "volumes", v.Name)
		if base.Runtime == restic.Native {
			if entries, err := os.ReadDir(target); err == nil && len(entries) > 0 && !sameDir(target, dir) {
				return exit.Failf(exit.Usage, "volume %s is %s by %s, and %s has files, too: move these away", v.Name, dir, VolumesFile, target)
			}
		}
		base.Mounts = append(base.Mounts, restic.Mount{Source: dir, Target: target})
	}
	return nil
}

func sameDir(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// Placed returns the places of the placed volumes.
func Placed(base restic.Invocation) []Place {
	var places []Place
	for _, m := range base.Mounts {
		if name, ok := strings.CutPrefix(m.Target, path.Join(base.Dir, "volumes")+"/"); ok {
			places = append(places, Place{"volumes/" + name, m.Source})
		}
	}
	return places
}

// WithoutPlaced drops the placed volumes.
func WithoutPlaced(volumes []Volume, base restic.Invocation) []Volume {
	elsewhere := Placed(base)
	return slices.DeleteFunc(slices.Clone(volumes), func(v Volume) bool {
		return slices.ContainsFunc(elsewhere, func(p Place) bool { return p.Path == "volumes/"+v.Name })
	})
}

// PlaceNew records the volumes of a new module, and writes an include file that names them
// if there is none.
func PlaceNew(dir string, added []PlacedVolume) error {
	if len(added) == 0 {
		return nil
	}
	volumes, err := readPlacedVolumes(dir)
	if err != nil {
		return err
	}
	var include strings.Builder
	for _, v := range added {
		volumes = withPlaced(volumes, v)
		include.WriteString("volumes/" + v.Name + "\n")
	}
	var text strings.Builder
	text.WriteString("# Volumes of the module that lie elsewhere: NAME=PATH, docker:VOLUME or podman:VOLUME.\n")
	for _, v := range volumes {
		text.WriteString(v.Name + "=" + v.Source + "\n")
	}
	if err := os.MkdirAll(filepath.Join(dir, "etc"), 0o755); err != nil {
		return fmt.Errorf("write the module's volumes: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, VolumesFile), []byte(text.String()), 0o644); err != nil { //nolint:gosec // no secret
		return fmt.Errorf("write the module's volumes: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "etc", "state-include.conf"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the include file: %w", err)
	}
	_, err = file.WriteString(include.String())
	return errors.Join(err, file.Close())
}
