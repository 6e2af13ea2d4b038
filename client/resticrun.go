package client

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

	"github.com/rclone-gateway/rclone-gateway/client/naming"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// containerRoot is where state and volumes are inside restic's container.
const containerRoot = "/srv"

// resticOptions say how an applet runs restic.
type resticOptions struct {
	runtime string
	root    string
}

// addFlags adds --runtime and --root to cmd.
func (o *resticOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.runtime, "runtime", "",
		"`RUNTIME` of restic: podman, a container, or native, the one that PATH has (default: NS8_RESTIC_RUNTIME, else podman with NethServer 8 or RESTIC_IMAGE, else native)")
	completeFlag(cmd, "runtime", oneOf(string(restic.Podman), string(restic.Native)))
	cmd.Flags().StringVar(&o.root, "root", "",
		"native runtime: `DIR` that holds state and volumes/NAME (default: the one above the state directory)")
}

// newInvocation returns what all runs of restic by one applet have in common: the
// runtime, the image, the container's name, the working directory and restic's
// version. With podman the state directory is mounted.
func (o resticOptions) newInvocation(ctx context.Context, sys *system, m module) (restic.Invocation, error) {
	base, err := o.unversioned(ctx, sys, m)
	if err != nil {
		return base, err
	}
	if base.Version, err = restic.Detect(ctx, base); err != nil {
		return base, resticError(base.Repository, err)
	}
	return base, sys.env.checkSocket(base.Version)
}

// unversioned is newInvocation without asking restic for its version.
func (o resticOptions) unversioned(ctx context.Context, sys *system, m module) (restic.Invocation, error) {
	base := restic.Invocation{
		Runtime: cmp.Or(restic.Runtime(o.runtime), sys.env.resticRuntime()),
		// Restic would tell its progress sixty times a second.
		Env: []string{"RESTIC_PROGRESS_FPS=2"},
	}
	switch base.Runtime {
	case restic.Native:
		base.Dir = o.root
		if base.Dir == "" {
			base.Dir = filepath.Dir(filepath.Clean(m.stateDir))
		}
		sys.env.reachGateway(&base)
		if err := checkNativeRoot(base.Dir, m.stateDir); err != nil {
			return base, err
		}
	case restic.Podman:
		image, err := sys.env.resticImage()
		if err != nil {
			return base, err
		}
		base.Image = image
		base.Name = fmt.Sprintf("restic-%s-%d", m.id, os.Getpid())
		base.Dir = containerRoot
		base.Mounts = []restic.Mount{{Source: m.stateDir, Target: containerRoot + "/state"}}
		sys.env.reachGateway(&base)
	default:
		runtimes := []string{string(restic.Podman), string(restic.Native)}
		return base, failf(exitUsage, "runtime %q is neither podman nor native%s", base.Runtime, naming.DidYouMean(string(base.Runtime), runtimes))
	}
	installDir, err := sys.env.installDir()
	if err != nil {
		return base, err
	}
	return base, placeVolumes(ctx, installDir, &base)
}

// volumeMount shows a volume to restic under the name of the module's own files.
func volumeMount(v volume) restic.Mount {
	return restic.Mount{Source: v.podman, Target: containerRoot + "/volumes/" + v.name}
}

// listen runs restic, which was told to write JSON. It hands over the events, each
// with its line, and the other lines of stderr, one after the other.
func listen(ctx context.Context, run restic.Invocation, plain func(line string), hear func(event restic.Event, line []byte)) error {
	var mu sync.Mutex // stdout and stderr come from two goroutines
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

// resticExits are the exit statuses for restic's failures, and what to do.
var resticExits = map[restic.Reason]struct {
	code exitCode
	text string
}{
	restic.Incomplete:   {exitPartial, "some files could not be read"},
	restic.NoRepository: {exitNotFound, "there is no repository at this place"},
	restic.Locked:       {exitLocked, "the repository is locked by another process: wait for it, or remove a stale lock with restic unlock"},
	restic.WrongKey:     {exitPassword, "the repository does not open with the destination's password, since it was made with another one: bring the destination back with that one (destination import, or remove and add it with --password-file)"},
	restic.Unreachable:  {exitUnreachable, "the gateway or the destination cannot be reached: try again later"},
	restic.Full:         {exitFull, "the storage refuses writes: it is full or read-only, or a quota is reached"},
	restic.Forbidden:    {exitForbidden, "the gateway refuses this module"},
	restic.NoRuntime:    {exitFailed, "restic cannot be started"},
	restic.Unknown:      {exitFailed, "restic failed"},
}

// resticError gives a failure of restic its exit status and a text that says what
// to do. Errors of another kind pass.
func resticError(repository restic.Repository, err error) error {
	failure, ok := errors.AsType[*restic.Failure](err)
	if !ok {
		return err
	}
	ends := resticExits[failure.Reason]
	if failure.Reason == restic.Incomplete {
		// The files are reported one by one.
		return failf(ends.code, "repository %s: %s", repository, ends.text)
	}
	if repository.URL == "" {
		return failf(ends.code, "%s: %w", ends.text, err)
	}
	return failf(ends.code, "repository %s: %s: %w", repository, ends.text, err)
}
