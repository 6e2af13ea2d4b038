package restic

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// MountCommand is this program's first argument when it runs a native restic with mounts of
// its own. [RunMounted] gets the arguments that follow.
const MountCommand = "restic-mounted"

// mounted wraps cmd, a native restic, so that it runs in a mount namespace with the mounts.
// Restic keeps the process ID.
func (i Invocation) mounted(cmd *exec.Cmd) error {
	if i.Runtime != Native || len(i.Mounts) == 0 {
		return nil
	}
	if cmd.Err != nil { // restic was not found
		return i.explain(context.Background(), cmd.Err, "")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{"gatewayctl", MountCommand}
	for _, m := range i.Mounts {
		args = append(args, m.Source, m.Target)
	}
	args = append(args, "--", cmd.Path)
	cmd.Args, cmd.Path = slices.Concat(args, cmd.Args), self
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Unshareflags = unix.CLONE_NEWNS
		return nil
	}
	cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWNS | unix.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
	cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
	return nil
}

// mountError says what to do if this process may not create mounts.
func (i Invocation) mountError(err error) error {
	if len(i.Mounts) == 0 || i.Runtime != Native || !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return fmt.Errorf("this user may not mount %s at %s for restic (%w): run it as root, or mount it there before, in a container with --volume",
		i.Mounts[0].Source, i.Mounts[0].Target, err)
}

// RunMounted binds the sources to the targets, and then executes the program behind --:
// SOURCE TARGET … -- PATH ARGV…. It returns only after a failure.
func RunMounted(args []string) error {
	end := slices.Index(args, "--")
	if end < 0 || end%2 != 0 || len(args) < end+3 {
		return errors.New("wrong arguments")
	}
	// Keep the mounts from propagating out of the namespace.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts private: %w", err)
	}
	for pair := range slices.Chunk(args[:end], 2) {
		if err := os.MkdirAll(pair[1], 0o755); err != nil {
			return err
		}
		if err := unix.Mount(pair[0], pair[1], "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("mount %s at %s: %w", pair[0], pair[1], err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	return syscall.Exec(args[end+1], args[end+2:], os.Environ())
}
