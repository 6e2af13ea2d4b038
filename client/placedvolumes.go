package client

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

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// placedVolume is a volume of a module that lies elsewhere than below its directory.
type placedVolume struct {
	name   string // as in state-include.conf, behind volumes/
	source string // an absolute path, or ENGINE:VOLUME
}

// engines are the programs that know volumes by name.
var engines = []string{"docker", "podman"}

// volumesFile holds NAME=SOURCE lines below the install directory.
const volumesFile = "etc/volumes.conf"

// readPlacedVolumes reads the module's volumes that lie elsewhere, sorted by name.
func readPlacedVolumes(installDir string) ([]placedVolume, error) {
	name := filepath.Join(installDir, volumesFile)
	lines, err := readPatternFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the module's volumes: %w", err)
	}
	var volumes []placedVolume
	for _, line := range lines {
		v, err := parsePlacedVolume(line)
		if err != nil {
			return nil, failf(exitUsage, "%s: %w", name, err)
		}
		volumes = withPlaced(volumes, v)
	}
	return volumes, nil
}

// withPlaced returns the volumes with v, instead of the one of its name.
func withPlaced(volumes []placedVolume, v placedVolume) []placedVolume {
	volumes = slices.DeleteFunc(slices.Clone(volumes), func(o placedVolume) bool { return o.name == v.name })
	volumes = append(volumes, v)
	slices.SortFunc(volumes, func(a, b placedVolume) int { return strings.Compare(a.name, b.name) })
	return volumes
}

// parsePlacedVolume reads NAME=PATH, NAME=docker:VOLUME or NAME=podman:VOLUME.
func parsePlacedVolume(text string) (placedVolume, error) {
	name, source, _ := strings.Cut(text, "=")
	v := placedVolume{name, source}
	engine, volume := v.engine()
	switch {
	case !volumePattern.MatchString(name) || source == "":
		return v, fmt.Errorf("%q is not NAME=PATH, such as data=/srv/app/data", text)
	case filepath.IsAbs(source) && !strings.ContainsAny(source, ":\n"):
		v.source = filepath.Clean(source)
		return v, nil
	case engine == "" && !volumePattern.MatchString(source), engine != "" && !volumePattern.MatchString(volume):
		return v, fmt.Errorf("%q is neither a path that begins with /, without colons, nor the name of a volume", source)
	default:
		return v, nil
	}
}

// engine is the program that knows the volume, if it is named, and what it calls it.
func (v placedVolume) engine() (engine, volume string) {
	for _, engine := range engines {
		if volume, ok := strings.CutPrefix(v.source, engine+":"); ok {
			return engine, volume
		}
	}
	return "", v.source
}

// settle finds out which program knows a volume that has a name alone, and sees that
// the volume is there.
func (v placedVolume) settle(ctx context.Context) (placedVolume, error) {
	if engine, _ := v.engine(); filepath.IsAbs(v.source) || engine != "" {
		_, err := v.dir(ctx)
		return v, err
	}
	var known []placedVolume
	for _, engine := range engines {
		candidate := placedVolume{v.name, engine + ":" + v.source}
		if _, err := candidate.dir(ctx); err == nil {
			known = append(known, candidate)
		}
	}
	switch len(known) {
	case 0:
		return v, failf(exitNotFound, "neither docker nor podman knows a volume %s: is it another user's? A directory begins with /", v.source)
	case 1:
		return known[0], nil
	default:
		return v, failf(exitUsage, "docker and podman each know a volume %s: say %s or %s", v.source, known[0].source, known[1].source)
	}
}

// dir is the directory of the volume, behind all links.
func (v placedVolume) dir(ctx context.Context) (string, error) {
	dir := v.source
	if engine, volume := v.engine(); engine != "" {
		output, err := exec.CommandContext(ctx, engine, "volume", "inspect", "--format={{.Mountpoint}}", "--", volume).Output()
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			return "", failf(exitNotFound, "volume %s: %s: %s", v.name, engine, strings.TrimSpace(string(failed.Stderr)))
		}
		if err != nil {
			return "", failf(exitNotFound, "volume %s: %w", v.name, err)
		}
		dir = strings.TrimSpace(string(output))
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", failf(exitNotFound, "volume %s is not there: %w", v.name, err)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", failf(exitNotFound, "volume %s: %s is not a directory", v.name, dir)
	}
	return dir, nil
}

// placeVolumes shows restic the volumes of a module that lie elsewhere.
func placeVolumes(ctx context.Context, installDir string, base *restic.Invocation) error {
	volumes, err := readPlacedVolumes(installDir)
	if err != nil {
		return err
	}
	for _, v := range volumes {
		dir, err := v.dir(ctx)
		if err != nil {
			return err
		}
		target := path.Join(base.Dir, "volumes", v.name)
		if base.Runtime == restic.Native {
			if entries, err := os.ReadDir(target); err == nil && len(entries) > 0 && !sameDir(target, dir) {
				return failf(exitUsage, "volume %s is %s by %s, and %s has files, too: move these away", v.name, dir, volumesFile, target)
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

// placed are the places of the volumes that lie elsewhere.
func placed(base restic.Invocation) []place {
	var places []place
	for _, m := range base.Mounts {
		if name, ok := strings.CutPrefix(m.Target, path.Join(base.Dir, "volumes")+"/"); ok {
			places = append(places, place{"volumes/" + name, m.Source})
		}
	}
	return places
}

// withoutPlaced leaves out the volumes that lie elsewhere.
func withoutPlaced(volumes []volume, base restic.Invocation) []volume {
	elsewhere := placed(base)
	return slices.DeleteFunc(slices.Clone(volumes), func(v volume) bool {
		return slices.ContainsFunc(elsewhere, func(p place) bool { return p.Path == "volumes/"+v.name })
	})
}

// placeNew writes the volumes of a new module, and an include file that names them where
// there is none.
func placeNew(dir string, added []placedVolume) error {
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
		include.WriteString("volumes/" + v.name + "\n")
	}
	var text strings.Builder
	text.WriteString("# Volumes of the module that lie elsewhere: NAME=PATH, docker:VOLUME or podman:VOLUME.\n")
	for _, v := range volumes {
		text.WriteString(v.name + "=" + v.source + "\n")
	}
	if err := os.MkdirAll(filepath.Join(dir, "etc"), 0o755); err != nil {
		return fmt.Errorf("write the module's volumes: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, volumesFile), []byte(text.String()), 0o644); err != nil { //nolint:gosec // no secret
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
