package locate

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// Invocation returns the restic invocation for a repository that need not belong to a
// module: runtime, image, container name and version, without any files.
func Invocation(ctx context.Context, sys *host.System, podmanArgs ...string) (restic.Invocation, error) {
	command := restic.Invocation{Runtime: sys.Env.ResticRuntime(), PodmanArgs: podmanArgs}
	if command.Runtime != restic.Native {
		image, err := sys.Env.ResticImage()
		if err != nil {
			return command, err
		}
		command.Image, command.Name = image, fmt.Sprintf("restic-%s-%d", agentName(sys.Env), os.Getpid())
	} else if len(podmanArgs) > 0 {
		return command, exit.Failf(exit.Usage, "--podman has no meaning with the native runtime of restic: NS8_RESTIC_RUNTIME=podman sets the other one")
	}
	version, err := restic.Detect(ctx, command)
	if err != nil {
		return command, run.ResticError(restic.Repository{}, err)
	}
	command.Version = version
	sys.Env.ReachGateway(&command)
	return command, sys.Env.CheckSocket(version)
}

// agentName returns our name in a form that fits a container's name.
func agentName(e *host.Environment) string {
	name := cmp.Or(e.Get("MODULE_ID"), strings.ReplaceAll(e.Get("AGENT_ID"), "/", ""))
	if !host.ModuleIDPattern.MatchString(name) {
		return "wrapper"
	}
	return name
}
