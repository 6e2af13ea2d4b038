package runbackup

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// backupStatus is the status of a module's last backup, as NethServer 8's listings read it.
type backupStatus struct {
	Start      int64 `json:"start"`
	TotalSize  int64 `json:"total_size"`
	TotalFiles int64 `json:"total_file_count"`
	Snapshots  int64 `json:"snapshots_count"`
	Errors     int64 `json:"errors"`
	End        int64 `json:"end"`
}

// manifestAndStatus publishes the result of a module's backup: in Redis for NethServer 8's
// listings, and in the manifest next to the repository for readers without Redis. A failure
// is only reported.
func (r *execution) manifestAndStatus(ctx context.Context, m *module, run *history.Run) {
	status := backupStatus{Start: run.Started.Unix()}
	if run.Outcome != history.Done {
		status.Errors++
	}
	if err := r.upkeep.stats(ctx, m, run, &status); err != nil && ctx.Err() == nil {
		r.sys.Warnf("%s: the size of its backup is not known: %v", m.ID, err)
		status.Errors++
	}
	status.End = time.Now().Unix()
	if err := r.storeStatus(ctx, m, &status); err != nil {
		r.sys.Warnf("%s: its status is not in redis yet: %v", m.ID, err)
	}
	if err := r.putManifest(ctx, m, run.Outcome == history.Done); err != nil {
		r.sys.Warnf("%s: the file beside its repository is not written: %v", m.ID, err)
	}
}

// stats determines the size of the last snapshot: from the output of its backup or, as
// NethServer 8 does, from restic. Both give users the same figures.
func (u *upkeep) stats(ctx context.Context, m *module, run *history.Run, status *backupStatus) error {
	if run.Snapshot != "" && !u.sys.Env.OnNS8() {
		status.TotalSize, status.TotalFiles, status.Snapshots = int64(run.Bytes), int64(run.Files), 1
		return nil
	}
	if run.Outcome == history.Failed && !u.sys.Env.OnNS8() {
		return nil // the latest snapshot is from another run
	}
	base, err := u.invocation(ctx, m)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := base.With("stats", "--json", "--no-lock", "latest").Run(ctx, restic.Streams{Stdout: &out}); err != nil {
		return explained(ctx, &work{module: m, restic: base}, err)
	}
	if err := json.Unmarshal(out.Bytes(), status); err != nil {
		return fmt.Errorf("restic's figures cannot be read: %w", err)
	}
	run.Bytes, run.Files = uint64(max(0, status.TotalSize)), uint64(max(0, status.TotalFiles))
	if run.Outcome == history.Failed {
		return nil
	}
	return u.findSnapshot(ctx, base, run)
}

// findSnapshot finds the snapshot of a backup that did not print its ID.
func (u *upkeep) findSnapshot(ctx context.Context, base restic.Invocation, run *history.Run) error {
	var out bytes.Buffer
	if err := base.With("snapshots", "--json", "--no-lock", "latest").Run(ctx, restic.Streams{Stdout: &out}); err != nil {
		return explained(ctx, &work{restic: base}, err)
	}
	var found []struct {
		ID      string
		Time    time.Time
		Summary *struct {
			Packed uint64 `json:"data_added_packed"`
		}
	}
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		return fmt.Errorf("restic's list of snapshots cannot be read: %w", err)
	}
	var newest time.Time
	for _, s := range found {
		if s.Time.After(newest) {
			newest, run.Snapshot = s.Time, s.ID
			if s.Summary != nil {
				run.Added = s.Summary.Packed
			}
		}
	}
	return nil
}

// statusChanged is the event for a new status.
func statusChanged(node, schedule, module string) string {
	number := func(text string) any {
		if n, err := strconv.Atoi(text); err == nil {
			return n
		}
		return text
	}
	text, _ := json.Marshal(struct {
		Node     any    `json:"node_id"`
		Schedule any    `json:"backup_id"`
		Module   string `json:"module_id"`
	}{number(node), number(schedule), module}) // cannot fail
	return string(text)
}

// manifest is the file next to a repository in which NethServer 8 describes it.
type manifest struct {
	Module    string `json:"module_id"`
	Name      string `json:"module_ui_name"`
	Node      string `json:"node_fqdn"`
	Cluster   string `json:"cluster_uuid"`
	UUID      string `json:"uuid"`
	Timestamp int64  `json:"timestamp"`
	Success   bool   `json:"success"`
}

func (r *execution) putManifest(ctx context.Context, m *module, success bool) error {
	name, _ := os.Hostname() // optional
	text, err := json.Marshal(manifest{m.ID, m.Name, name, r.facts.Cluster, m.UUID, time.Now().Unix(), success})
	if err != nil {
		return err
	}
	d := newDAV(r.sys, r.facts.Schedule.Destination)
	defer d.client.CloseIdleConnections()
	d.makeDir(ctx, m.App)
	return d.put(ctx, m.path()+".json", "application/json", bytes.NewReader(text), int64(len(text)))
}
