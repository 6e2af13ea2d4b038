package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// listedSnapshot is what restic snapshots --json prints of one.
type listedSnapshot struct {
	ID    string    `json:"id"`
	Time  time.Time `json:"time"`
	Paths []string  `json:"paths"`
}

// listSnapshots returns the repository's snapshots. It takes no lock.
func listSnapshots(ctx context.Context, base restic.Invocation) ([]listedSnapshot, error) {
	var output bytes.Buffer
	if err := base.With("snapshots", "--json", "--no-lock").Run(ctx, restic.Streams{Stdout: &output}); err != nil {
		return nil, run.ResticError(base.Repository, err)
	}
	var snapshots []listedSnapshot
	if err := json.Unmarshal(output.Bytes(), &snapshots); err != nil {
		return nil, fmt.Errorf("read the list of snapshots: %w", err)
	}
	return snapshots, nil
}

// latestParent returns the ID of the newest snapshot of a module's files, or "".
// Restic itself would look for one of the same host and paths, and read
// everything again after the module moved to another node, got a label or changed
// its include file. A repository holds one module, so the newest one is right
// whoever made it; one without state/environment is somebody's experiment.
func latestParent(snapshots []listedSnapshot) string {
	var latest listedSnapshot
	for _, s := range snapshots {
		if slices.ContainsFunc(s.Paths, holdsState) && (latest.ID == "" || s.Time.After(latest.Time)) {
			latest = s
		}
	}
	return latest.ID
}

func holdsState(path string) bool {
	return strings.HasSuffix(path, "/state") || strings.HasSuffix(path, "/state/environment")
}
