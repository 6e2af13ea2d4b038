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

// listedSnapshot is a snapshot in the output of restic snapshots --json.
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

// latestParent returns the ID of the newest snapshot of the module, "" if there is none.
// Restic's own choice needs the same host and paths: it would read all files again after
// the module moved to another node, was renamed or changed its include file. A repository
// belongs to one module, so any newest snapshot is a good parent, except one without
// state/environment, which somebody made by hand.
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
