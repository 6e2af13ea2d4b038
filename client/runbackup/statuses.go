package runbackup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// statuses is a file per schedule with the module statuses that Redis does not have yet.
type statuses map[string]json.RawMessage

func (r *execution) statusFile() string {
	return filepath.Join(r.dir, "status-"+r.facts.Schedule.ID+".json")
}

// storeStatus stores and announces the status of a module's backup, or keeps it until Redis
// is back.
func (r *execution) storeStatus(ctx context.Context, m *module, status *backupStatus) error {
	text, err := json.Marshal(status)
	if err != nil {
		return err
	}
	r.statusMu.Lock()
	defer r.statusMu.Unlock()
	waiting, err := r.waitingStatuses()
	if err != nil {
		r.sys.Warnf("%v", err)
	}
	waiting[m.ID] = text
	if err := r.writeStatuses(ctx, waiting); err != nil {
		return errors.Join(err, r.keepStatuses(waiting))
	}
	return r.dropStatuses()
}

// storeWaiting stores what waits, if Redis accepts it now.
func (r *execution) storeWaiting(ctx context.Context) {
	r.statusMu.Lock()
	defer r.statusMu.Unlock()
	waiting, err := r.waitingStatuses()
	if err == nil && len(waiting) > 0 {
		if err = r.writeStatuses(ctx, waiting); err == nil {
			err = r.dropStatuses()
		}
	}
	if err != nil {
		r.sys.Warnf("the statuses of %d modules are not in redis yet: %v", len(waiting), err)
	}
}

func (r *execution) writeStatuses(ctx context.Context, waiting statuses) error {
	rdb, err := r.sys.Redis(ctx, host.LeaderAgent)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	node, schedule := r.facts.Node, r.facts.Schedule.ID
	commands, err := rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for _, m := range slices.Sorted(maps.Keys(waiting)) {
			p.HSet(ctx, catalog.BackupStatusKey(node, schedule), m, []byte(waiting[m]))
			p.Publish(ctx, catalog.ChannelBackupStatusChanged(node), statusChanged(node, schedule, m))
		}
		return nil
	})
	return host.TransactionError(commands, err)
}

// waitingStatuses returns the waiting statuses. An unreadable file is replaced.
func (r *execution) waitingStatuses() (statuses, error) {
	text, err := os.ReadFile(r.statusFile())
	if errors.Is(err, os.ErrNotExist) {
		return statuses{}, nil
	}
	waiting := statuses{}
	if err == nil {
		err = json.Unmarshal(text, &waiting)
	}
	if err != nil {
		return statuses{}, fmt.Errorf("read the statuses that wait for Redis: %w", err)
	}
	return waiting, nil
}

func (r *execution) keepStatuses(waiting statuses) error {
	text, err := json.Marshal(waiting)
	if err != nil {
		return err
	}
	return atomicfile.Write(r.statusFile(), append(text, '\n'), 0o600)
}

func (r *execution) dropStatuses() error {
	if err := os.Remove(r.statusFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
