package expire

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/retention"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/snapshot"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// DefaultMaxShare is the largest share of snapshots that may be removed at once, in
// percent.
const DefaultMaxShare = 50

// List runs a restic that lists snapshots as JSON, and asks the gateway when it received
// each. It omits snapshots that are removed meanwhile.
func List(ctx context.Context, sys *host.System, list restic.Invocation) ([]*retention.Snapshot, error) {
	var out bytes.Buffer
	if err := list.Run(ctx, restic.Streams{Stdout: &out, Stderr: sys.Stderr}); err != nil {
		return nil, run.ResticError(list.Repository, err)
	}
	var read []struct {
		ID          string
		Time        time.Time
		Hostname    string
		Paths, Tags []string
		Summary     *struct {
			Bytes int64 `json:"total_bytes_processed"`
			Files int64 `json:"total_files_processed"`
			Added int64 `json:"data_added_packed"`
		}
	}
	if err := json.Unmarshal(out.Bytes(), &read); err != nil {
		return nil, fmt.Errorf("restic's list of snapshots cannot be read: %w", err)
	}
	snapshot.OpenCache(sys.Env).Learn(list.Repository, out.Bytes())
	ids := make([]string, len(read))
	for i, s := range read {
		ids[i] = s.ID
	}
	probe := run.NewProbe(sys.Env)
	defer probe.Close()
	receipts, err := probe.Receipts(ctx, list.Repository, ids)
	if err != nil {
		return nil, err
	}
	var snapshots []*retention.Snapshot
	for _, s := range read {
		receipt, there := receipts[s.ID]
		if !there {
			continue // removed meanwhile
		}
		kept := &retention.Snapshot{
			ID: s.ID, Time: s.Time, Hostname: s.Hostname, Paths: s.Paths, Tags: s.Tags, Size: -1,
			Received: receipt.At, ByNode: receipt.ByNode,
		}
		if s.Summary != nil {
			kept.Size, kept.Files, kept.Added = s.Summary.Bytes, s.Summary.Files, s.Summary.Added
		}
		snapshots = append(snapshots, kept)
	}
	return snapshots, nil
}

// Node returns the node whose record of acknowledged snapshots counts, "" for none.
func Node(env *host.Environment) string {
	if node := env.Get("NODE_ID"); node != "" {
		return node
	}
	if node, ok := strings.CutPrefix(env.Get("REDIS_USER"), "node/"); ok {
		return node
	}
	return ""
}

// Acknowledge records snapshots as acknowledged on the node, and returns the complete IDs
// of all acknowledged ones.
func Acknowledge(ctx context.Context, sys *host.System, node string, ids []string) (map[string]bool, error) {
	rdb, err := sys.Redis(ctx, host.LeaderAgent)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rdb.Close() }()
	key := catalog.AcknowledgedKey(node)
	if len(ids) > 0 {
		if err := rdb.SAdd(ctx, key, ids).Err(); err != nil {
			return nil, exit.Failf(exit.Redis, "remember what was acknowledged in %s: %w", key, err)
		}
	}
	members, err := rdb.SMembersMap(ctx, key).Result()
	if err != nil {
		return nil, host.ReadError(key, err)
	}
	all := make(map[string]bool, len(members))
	for id := range members {
		all[id] = true
	}
	return all, nil
}

// Refuse refuses plans that nobody can have intended. force is the option that overrides
// it.
func Refuse(snapshots []*retention.Snapshot, plan retention.Plan, maxShare int, force string) error {
	counted := len(plan.Keep) + len(plan.Remove)
	unknown := 0
	for _, s := range snapshots {
		if s.Received.IsZero() && !s.ByNode {
			unknown++
		}
	}
	switch {
	case len(plan.Remove) == 0:
		return nil
	case unknown > 0:
		return exit.Failf(exit.Conflict, "nothing was removed: the storage does not know when it received %d snapshots, so that they count by times that a module can choose; %s does it anyway", unknown, force)
	case len(plan.Keep) == 0:
		return exit.Failf(exit.Conflict, "nothing was removed: the last snapshot that is not held would go; %s does it anyway", force)
	case len(plan.Remove)*100 > counted*maxShare:
		return exit.Failf(exit.Conflict, "nothing was removed: %d of %d snapshots would go, more than %d %%; --max-share raises that, %s does it anyway", len(plan.Remove), counted, maxShare, force)
	}
	return nil
}

// atOnce bounds the IDs on one command line.
const atOnce = 1000

// Remove lets restic remove snapshots, by ID. run runs restic with the arguments.
func Remove(remove []*retention.Snapshot, run func(args ...string) error) error {
	for chunk := range slices.Chunk(remove, atOnce) {
		args := []string{"forget"}
		for _, s := range chunk {
			args = append(args, s.ID)
		}
		if err := run(args...); err != nil {
			return err
		}
	}
	return nil
}
