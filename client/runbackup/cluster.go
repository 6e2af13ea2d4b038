package runbackup

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// clusterDump is where NethServer 8's cluster-backup leaves its encrypted file, below the
// state directory of the cluster.
const clusterDump = "backup/dump.json.gz.gpg"

// backUpCluster lets NethServer 8 back up the cluster's configuration, and stores the file
// next to the repositories. A failure is reported, but does not affect the modules'
// outcomes.
func (r *execution) backUpCluster(ctx context.Context) {
	if err := r.saveCluster(ctx); err != nil && ctx.Err() == nil {
		r.sys.Warnf("the backup of the cluster's configuration failed: %v", err)
	}
}

func (r *execution) saveCluster(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "runagent", "-m", "cluster", "cluster-backup")
	cmd.Stdout, cmd.Stderr = r.sys.Stderr, r.sys.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cluster-backup: %w", err)
	}
	file, err := os.Open(clusterDumpFile(r.sys.Env))
	if err != nil {
		return err // without a passphrase there is no file
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, clusterTimeout)
	defer cancel()
	d := newDAV(r.sys, r.facts.Schedule.Destination)
	defer d.client.CloseIdleConnections()
	return d.send(ctx, http.MethodPut, "cluster-backup-"+r.facts.Cluster+".json.gz.gpg", "application/octet-stream", file, info.Size())
}

// clusterDumpFile returns the path of the file, next to the node's state directory.
func clusterDumpFile(env *host.Environment) string {
	node := filepath.Dir(filepath.Dir(host.NodeAgentEnv)) // …/node
	if state := env.Get("AGENT_STATE_DIR"); state != "" {
		node = filepath.Dir(filepath.Clean(state))
	}
	return filepath.Join(filepath.Dir(node), "cluster", "state", clusterDump)
}
