package state

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// Volume is a named volume of a module.
type Volume struct {
	Name   string // as in state-include.conf, after volumes/
	Podman string // as in Podman
}

// resticVolumes begins the names of restic's own volumes.
const resticVolumes = "restic-"

// VolumePattern matches the name of a volume.
var VolumePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// ModuleVolume returns the volume with that name in the module's state-include.conf. In
// Podman it has the same name for a rootless module; for a rootfull one, the module's ID is
// prepended.
func ModuleVolume(moduleID string, rootfull bool, name string) (Volume, error) {
	if !VolumePattern.MatchString(name) {
		return Volume{}, exit.Failf(exit.Usage, "%q cannot be the name of a volume", name)
	}
	if rootfull {
		return Volume{name, moduleID + "-" + name}, nil
	}
	return Volume{name, name}, nil
}

// ModuleVolumes returns the module's volumes, sorted by name, among Podman's volumes. A
// rootfull module only sees those with its ID.
func ModuleVolumes(moduleID string, rootfull bool, podmanNames []string) []Volume {
	var volumes []Volume
	for _, podmanName := range podmanNames {
		name := podmanName
		if rootfull {
			var own bool
			if name, own = strings.CutPrefix(podmanName, moduleID+"-"); !own {
				continue
			}
		}
		if strings.HasPrefix(podmanName, resticVolumes) || !VolumePattern.MatchString(name) {
			continue
		}
		volumes = append(volumes, Volume{name, podmanName})
	}
	slices.SortFunc(volumes, func(a, b Volume) int { return strings.Compare(a.Name, b.Name) })
	return volumes
}

// ListPodmanVolumes returns the names of all of this user's volumes.
func ListPodmanVolumes(ctx context.Context) ([]string, error) {
	output, err := exec.CommandContext(ctx, "podman", "volume", "ls", "--format={{.Name}}").Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return nil, fmt.Errorf("list volumes: podman: %s", strings.TrimSpace(string(exit.Stderr)))
		}
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	return strings.Fields(string(output)), nil
}

// CheckNativeRoot checks that root has the layout that a native restic needs: the directory
// state, which is the module's state directory, and optionally directories below volumes.
// It refuses symbolic links, since restic would save the link instead of its target.
func CheckNativeRoot(root, stateDir string) error {
	state := filepath.Join(root, "state")
	info, err := os.Lstat(state)
	if err != nil {
		return exit.Failf(exit.Usage, "the native runtime needs the state directory at %s: %w", state, err)
	}
	own, err := os.Stat(stateDir)
	if err != nil {
		return exit.Failf(exit.Usage, "the module's state directory: %w", err)
	}
	if !os.SameFile(info, own) {
		return exit.Failf(exit.Usage, "%s is not the module's state directory %s: choose the directory above it with --root, or mount it there", state, stateDir)
	}
	entries, err := os.ReadDir(filepath.Join(root, "volumes"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return exit.Failf(exit.Usage, "the module's volumes: %w", err)
	}
	for _, entry := range entries {
		if entry.Type() == fs.ModeSymlink {
			return exit.Failf(exit.Usage, "volume %s is a symbolic link: remove it, and name the directory with gatewayctl module add --volume %s=PATH, or mount it there", filepath.Join(root, "volumes", entry.Name()), entry.Name())
		}
	}
	return nil
}

// CheckWritable checks that we may write to the state directory and to each volume below
// root, before restic fails for each file.
func CheckWritable(base restic.Invocation) error {
	root := base.Dir
	dirs := []string{filepath.Join(root, "state")}
	for _, p := range Placed(base) {
		dirs = append(dirs, p.Dir)
	}
	volumes, err := os.ReadDir(filepath.Join(root, "volumes"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return exit.Failf(exit.Usage, "the module's volumes: %w", err)
	}
	for _, entry := range volumes {
		if slices.ContainsFunc(Placed(base), func(p Place) bool { return p.Path == "volumes/"+entry.Name() }) {
			continue // restic sees another directory there
		}
		dirs = append(dirs, filepath.Join(root, "volumes", entry.Name()))
	}
	for _, dir := range dirs {
		if err := unix.Access(dir, unix.W_OK); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("restore into %s: %w: check its owner and mode, and its mount", dir, err)
		}
	}
	return nil
}

// VolumeDirs returns the directories of Podman's existing volumes as places of the backup.
func VolumeDirs(ctx context.Context, volumes []Volume) ([]Place, error) {
	places := make([]Place, len(volumes))
	for i, v := range volumes {
		output, err := exec.CommandContext(ctx, "podman", "volume", "inspect", "--format={{.Mountpoint}}", "--", v.Podman).Output()
		if err != nil {
			return nil, fmt.Errorf("look up the directory of volume %s: podman: %w", v.Podman, err)
		}
		places[i] = Place{"volumes/" + v.Name, strings.TrimSpace(string(output))}
	}
	return places, nil
}

// InPodmanNamespace runs a command of ours in the user namespace of the user's Podman,
// where the files of volumes have their real owners. in and out are passed as JSON.
func InPodmanNamespace(ctx context.Context, command, flag string, in, out any) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	input, err := json.Marshal(in)
	if err != nil {
		return err
	}
	args := []string{"unshare", self}
	if filepath.Base(self) != command {
		args = append(args, command)
	}
	cmd := exec.CommandContext(ctx, "podman", append(args, "--"+flag)...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &said
	output, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("podman unshare: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	if err := json.Unmarshal(output, out); err != nil {
		return fmt.Errorf("podman unshare: %w", err)
	}
	return nil
}

// Place says where a directory of the snapshot is restored to.
type Place struct {
	Path string `json:"path"` // "state", "volumes/data"
	Dir  string `json:"dir"`
}
