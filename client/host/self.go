package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// Self is a run of this program with other arguments, in this process's environment. When
// ctx ends it is asked to end (SIGTERM), and waited for.
func Self(ctx context.Context, args ...string) (*exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	// The name of an applet, by which this process may have been called, would be taken
	// for it.
	cmd.Args[0] = "gatewayctl"
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd, nil
}
