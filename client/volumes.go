package client

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

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// volume is a named volume of a module.
type volume struct {
	name   string // as in state-include.conf, behind volumes/
	podman string // as Podman knows it
}

// resticVolumes begin the names of the volumes that are restic's own.
const resticVolumes = "restic-"

// volumePattern matches the name of a volume.
var volumePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// moduleVolume returns the volume that state-include.conf of the module calls
// name: of the same name for a rootless module, and with the module's ID before
// it for a rootfull one.
func moduleVolume(moduleID string, rootfull bool, name string) (volume, error) {
	if !volumePattern.MatchString(name) {
		return volume{}, failf(exitUsage, "%q cannot be the name of a volume", name)
	}
	if rootfull {
		return volume{name, moduleID + "-" + name}, nil
	}
	return volume{name, name}, nil
}

// moduleVolumes picks a module's volumes, sorted by name, out of the names that
// Podman knows. A rootfull module sees only those that carry its ID.
func moduleVolumes(moduleID string, rootfull bool, podmanNames []string) []volume {
	var volumes []volume
	for _, podmanName := range podmanNames {
		name := podmanName
		if rootfull {
			var own bool
			if name, own = strings.CutPrefix(podmanName, moduleID+"-"); !own {
				continue
			}
		}
		if strings.HasPrefix(podmanName, resticVolumes) || !volumePattern.MatchString(name) {
			continue
		}
		volumes = append(volumes, volume{name, podmanName})
	}
	slices.SortFunc(volumes, func(a, b volume) int { return strings.Compare(a.name, b.name) })
	return volumes
}

// listPodmanVolumes asks Podman for the names of all volumes of this user.
func listPodmanVolumes(ctx context.Context) ([]string, error) {
	output, err := exec.CommandContext(ctx, "podman", "volume", "ls", "--format={{.Name}}").Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return nil, fmt.Errorf("list volumes: podman: %s", strings.TrimSpace(string(exit.Stderr)))
		}
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	return strings.Fields(string(output)), nil
}

// checkNativeRoot reports whether root holds a module as restic without a container
// must find it: the directory state, which is the module's state directory, and,
// where there are volumes, directories below volumes. Symbolic links in their
// place are refused, because restic would save the link and not what is behind.
func checkNativeRoot(root, stateDir string) error {
	state := filepath.Join(root, "state")
	info, err := os.Lstat(state)
	if err != nil {
		return failf(exitUsage, "the native runtime needs the state directory at %s: %w", state, err)
	}
	own, err := os.Stat(stateDir)
	if err != nil {
		return failf(exitUsage, "the module's state directory: %w", err)
	}
	if !os.SameFile(info, own) {
		return failf(exitUsage, "%s is not the module's state directory %s: choose the directory above it with --root, or mount it there", state, stateDir)
	}
	entries, err := os.ReadDir(filepath.Join(root, "volumes"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failf(exitUsage, "the module's volumes: %w", err)
	}
	for _, entry := range entries {
		if entry.Type() == fs.ModeSymlink {
			return failf(exitUsage, "volume %s is a symbolic link: remove it, and name the directory with gatewayctl module add --volume %s=PATH, or mount it there", filepath.Join(root, "volumes", entry.Name()), entry.Name())
		}
	}
	return nil
}

// checkWritable reports whether we may write to the state directory and to each
// volume below root, before restic fails at each file.
func checkWritable(base restic.Invocation) error {
	root := base.Dir
	dirs := []string{filepath.Join(root, "state")}
	for _, p := range placed(base) {
		dirs = append(dirs, p.Dir)
	}
	volumes, err := os.ReadDir(filepath.Join(root, "volumes"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failf(exitUsage, "the module's volumes: %w", err)
	}
	for _, entry := range volumes {
		if slices.ContainsFunc(placed(base), func(p place) bool { return p.Path == "volumes/"+entry.Name() }) {
			continue // restic sees another one there
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

// volumeDirs are the directories of Podman's volumes, which exist, as places of the
// backup.
func volumeDirs(ctx context.Context, volumes []volume) ([]place, error) {
	places := make([]place, len(volumes))
	for i, v := range volumes {
		output, err := exec.CommandContext(ctx, "podman", "volume", "inspect", "--format={{.Mountpoint}}", "--", v.podman).Output()
		if err != nil {
			return nil, fmt.Errorf("look up the directory of volume %s: podman: %w", v.podman, err)
		}
		places[i] = place{"volumes/" + v.name, strings.TrimSpace(string(output))}
	}
	return places, nil
}

// inPodmanNamespace runs a command of ours where the files of Podman's volumes have
// their owners: in the user namespace of a user's Podman. It passes in and out as JSON.
func inPodmanNamespace(ctx context.Context, command, flag string, in, out any) error {
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

// place is where a directory of the snapshot is restored to.
type place struct {
	Path string `json:"path"` // "state", "volumes/data"
	Dir  string `json:"dir"`
}
