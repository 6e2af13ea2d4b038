package history

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// StateDir returns the directory for the persistent state of this node's runs; dir
// overrides it.
func StateDir(env *host.Environment, dir string) (string, error) {
	if dir != "" {
		return filepath.Abs(dir)
	}
	if own, _ := env.Lookup("GATEWAYCTL_STATE_DIR"); own != "" {
		return own, nil
	}
	if directories, _ := env.Lookup("STATE_DIRECTORY"); directories != "" {
		first, _, _ := strings.Cut(directories, ":")
		return first, nil
	}
	if agent := env.Get("AGENT_STATE_DIR"); agent != "" && strings.HasPrefix(env.Get("AGENT_ID"), "node/") {
		return filepath.Join(agent, "backup-runs"), nil
	}
	if env.OnNS8() {
		return filepath.Join(filepath.Dir(host.NodeAgentEnv), "backup-runs"), nil
	}
	if os.Geteuid() == 0 {
		return "/var/lib/rclone-gateway-runs", nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("name a directory for what runs must remember with --state-dir: there is no home")
	}
	return filepath.Join(home, ".local", "state", "rclone-gateway-runs"), nil
}
