package join

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/state"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
)

// place says where a module's files are on this host.
type place struct {
	dir     string
	envFile string
	volumes []state.PlacedVolume
}

// caFile returns the path of the certificates by which the gateway is trusted.
func (p *place) caFile() string { return filepath.Join(p.dir, "etc", "gateway-ca.pem") }

// ready creates the directories, and verifies that the environment can be written before a
// code is used up.
func (p *place) ready() error {
	for _, dir := range []string{filepath.Join(p.dir, "etc"), filepath.Dir(p.envFile)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return exit.Failf(exit.Failed, "make the directory of the module: %w", err)
		}
	}
	trial, err := atomicfile.Prepare(p.envFile, nil, 0o600)
	if err != nil {
		return exit.Failf(exit.Failed, "the environment cannot be written: %w", err)
	}
	trial.Drop()
	return nil
}

// fill writes the certificates, the directories of the module, and last the environment.
// Lines that were added to an existing environment stay.
func (p *place) fill(ctx context.Context, s *Settings) error {
	s.set("AGENT_INSTALL_DIR", p.dir)
	s.set("AGENT_STATE_DIR", filepath.Join(p.dir, "state"))
	if s.CA != nil {
		if err := atomicfile.Write(p.caFile(), s.CA, 0o644); err != nil {
			return fmt.Errorf("write the gateway's CA: %w", err)
		}
		s.set("RESTIC_CACERT", p.caFile())
	}
	m := state.Identity{ID: s.get("MODULE_ID"), UUID: s.get("MODULE_UUID"), Image: s.get("IMAGE_URL")}
	if err := state.Make(ctx, p.dir, p.volumes, m); err != nil {
		return err
	}
	return p.writeEnvironment(s)
}

// writeEnvironment writes the environment file. If a file of another module is in the way,
// it writes a new one beside it: a code gives the settings only once.
func (p *place) writeEnvironment(s *Settings) error {
	earlier, err := os.ReadFile(p.envFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return exit.Failf(exit.Failed, "read the environment that is there: %w", err)
	}
	path, id := p.envFile, envfile.Parse(earlier)["MODULE_ID"]
	conflict := strings.TrimSpace(string(earlier)) != "" && id != s.get("MODULE_ID")
	if conflict {
		path, earlier = p.envFile+"."+s.get("MODULE_ID"), nil
	}
	lines := envfile.Renew(envfile.Names(earlier), envfile.Parse(earlier), s.Variables)
	if err := atomicfile.Write(path, []byte(envfile.Format(lines)), 0o600); err != nil {
		return exit.Failf(exit.Failed, "write the environment: %w", err)
	}
	if conflict {
		return exit.Failf(exit.Conflict, "%s is there and not of module %s, whose environment is now in %s: move it to where it is to be, or join again with another --dir", p.envFile, s.get("MODULE_ID"), path)
	}
	return nil
}
