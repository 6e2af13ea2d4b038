package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/naming"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/state"
)

// ContainerRoot is the directory of state and volumes in restic's container.
const ContainerRoot = "/srv"

// ResticOptions say how an applet runs restic.
type ResticOptions struct {
	runtime string
	root    string
}

// AddFlags adds --runtime and --root to cmd.
func (o *ResticOptions) AddFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.runtime, "runtime", "",
		"`RUNTIME` of restic: podman, a container, or native, the one that PATH has (default: NS8_RESTIC_RUNTIME, else podman with NethServer 8 or RESTIC_IMAGE, else native)")
	names.CompleteFlag(cmd, "runtime", names.OneOf(string(restic.Podman), string(restic.Native)))
	cmd.Flags().StringVar(&o.root, "root", "",
		"native runtime: `DIR` that holds state and volumes/NAME (default: the one above the state directory)")
}

// NewInvocation returns the common part of all restic runs of an applet: runtime, image,
// container name, working directory and restic's version. With podman, the state directory
// is mounted.
func (o ResticOptions) NewInvocation(ctx context.Context, sys *host.System, m host.Module) (restic.Invocation, error) {
	base, err := o.Unversioned(ctx, sys, m)
	if err != nil {
		return base, err
	}
	if base.Version, err = restic.Detect(ctx, base); err != nil {
		return base, ResticError(base.Repository, err)
	}
	return base, sys.Env.CheckSocket(base.Version)
}

// Unversioned is NewInvocation without asking restic for its version.
func (o ResticOptions) Unversioned(ctx context.Context, sys *host.System, m host.Module) (restic.Invocation, error) {
	base := restic.Invocation{
		Runtime: cmp.Or(restic.Runtime(o.runtime), sys.Env.ResticRuntime()),
		// By default restic reports progress sixty times a second.
		Env: []string{"RESTIC_PROGRESS_FPS=2"},
	}
	switch base.Runtime {
	case restic.Native:
		base.Dir = o.root
		if base.Dir == "" {
			base.Dir = filepath.Dir(filepath.Clean(m.StateDir))
		}
		sys.Env.ReachGateway(&base)
		if err := state.CheckNativeRoot(base.Dir, m.StateDir); err != nil {
			return base, err
		}
	case restic.Podman:
		image, err := sys.Env.ResticImage()
		if err != nil {
			return base, err
		}
		base.Image = image
		base.Name = fmt.Sprintf("restic-%s-%d", m.ID, os.Getpid())
		base.Dir = ContainerRoot
		base.Mounts = []restic.Mount{{Source: m.StateDir, Target: ContainerRoot + "/state"}}
		sys.Env.ReachGateway(&base)
	default:
		runtimes := []string{string(restic.Podman), string(restic.Native)}
		return base, exit.Failf(exit.Usage, "runtime %q is neither podman nor native%s", base.Runtime, naming.DidYouMean(string(base.Runtime), runtimes))
	}
	installDir, err := sys.Env.InstallDir()
	if err != nil {
		return base, err
	}
	return base, state.PlaceVolumes(ctx, installDir, &base)
}

// VolumeMount mounts a volume under the path that restic expects.
func VolumeMount(v state.Volume) restic.Mount {
	return restic.Mount{Source: v.Podman, Target: ContainerRoot + "/volumes/" + v.Name}
}

// Listen runs restic with JSON output. It passes on events, each with its line, and the
// other lines of stderr, one at a time.
func Listen(ctx context.Context, run restic.Invocation, plain func(line string), hear func(event restic.Event, line []byte)) error {
	var mu sync.Mutex // stdout and stderr are copied by two goroutines
	var outage restic.Outage
	condensed := func(line string) {
		if text := outage.Condense(line, time.Now()); text != "" {
			plain(text)
		}
	}
	lines := func(other func(line string)) *restic.Lines {
		return restic.NewLines(func(line []byte) {
			mu.Lock()
			defer mu.Unlock()
			if event := restic.ParseEvent(line); event != nil {
				hear(event, line)
			} else {
				other(string(line))
			}
		})
	}
	stdout, stderr := lines(func(string) {}), lines(condensed)
	err := run.Run(ctx, restic.Streams{Stdout: stdout, Stderr: stderr})
	stdout.Flush()
	stderr.Flush()
	if text := outage.End(time.Now()); err == nil && text != "" {
		plain(text)
	}
	return err
}

// resticExits maps restic's failures to exit statuses and advice.
var resticExits = map[restic.Reason]struct {
	code exit.Code
	text string
}{
	restic.Incomplete:   {exit.Partial, "some files could not be read"},
	restic.NoRepository: {exit.NotFound, "there is no repository at this place"},
	restic.Locked:       {exit.Locked, "the repository is locked by another process: wait for it, or remove a stale lock with restic unlock"},
	restic.WrongKey:     {exit.Password, "the repository does not open with the destination's password, since it was made with another one: bring the destination back with that one (destination import, or remove and add it with --password-file)"},
	restic.Unreachable:  {exit.Unreachable, "the gateway or the destination cannot be reached: try again later"},
	restic.Full:         {exit.Full, "the storage refuses writes: it is full or read-only, or a quota is reached"},
	restic.Forbidden:    {exit.Forbidden, "the gateway refuses this module"},
	restic.NoRuntime:    {exit.Failed, "restic cannot be started"},
	restic.Unknown:      {exit.Failed, "restic failed"},
}

// ResticError adds exit status and advice to a failure of restic. It returns other errors
// unchanged.
func ResticError(repository restic.Repository, err error) error {
	failure, ok := errors.AsType[*restic.Failure](err)
	if !ok {
		return err
	}
	ends := resticExits[failure.Reason]
	if failure.Reason == restic.Incomplete {
		// The files were reported one by one.
		return exit.Failf(ends.code, "repository %s: %s", repository, ends.text)
	}
	if repository.URL == "" {
		return exit.Failf(ends.code, "%s: %w", ends.text, err)
	}
	text := ends.text
	if failure.Reason == restic.NoRepository {
		text += repository.Remedy()
	}
	return exit.Failf(ends.code, "repository %s: %s: %w", repository, text, err)
}
