package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/outcome"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// Write records runs in Redis, on the leader, as the user of node r.Node. It records runs
// of removed modules too.
func Write(ctx context.Context, rdb redis.Cmdable, outcomes ...Run) error {
	if len(outcomes) == 0 {
		return nil
	}
	commands, err := rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for _, r := range outcomes {
			r = r.bounded()
			text, err := json.Marshal(r)
			if err != nil {
				return err
			}
			outcome.Add(ctx, p, outcome.Place{Node: r.Node, Schedule: r.Schedule, Module: r.Module, Kind: string(r.Kind)}, r.Outcome == Done, text)
		}
		return nil
	})
	return host.TransactionError(commands, err)
}

// Recorder records the runs of a node. What Redis does not accept waits in a directory.
type Recorder struct {
	Sys  *host.System
	Node string
	// Dir belongs to the node and is shared by all of its recorders; it is created.
	Dir string
}

// Record records runs, and those that are waiting. If Redis does not accept them, they are
// on disk before it returns, and said is the reason. An error means that they are lost.
func (r *Recorder) Record(ctx context.Context, runs ...Run) (said, err error) {
	for i := range runs {
		runs[i].Node = r.Node
	}
	waiting, names, err := r.waiting()
	if err != nil {
		return nil, err
	}
	rdb, err := r.Sys.Redis(ctx, host.LeaderAgent)
	if err != nil {
		return err, r.keep(runs)
	}
	defer func() { _ = rdb.Close() }()
	if err := Write(ctx, rdb, slices.Concat(waiting, runs)...); err != nil {
		err = fmt.Errorf("record the outcome of runs in redis: %w", err)
		return err, r.keep(runs)
	}
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	return nil, err
}

// waitingPrefix begins the names of files with waiting runs.
const waitingPrefix = "unrecorded-"

// JournalFile returns the file in a recorder's directory that exists while a run of a
// schedule goes on, or after it was killed.
func JournalFile(dir, schedule string) string {
	return filepath.Join(dir, "run-"+schedule+".json")
}

// keep writes runs into a new file, atomically.
func (r *Recorder) keep(runs []Run) error {
	if len(runs) == 0 {
		return nil
	}
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		return fmt.Errorf("keep the outcome of runs until Redis is back: %w", err)
	}
	text, err := json.Marshal(runs)
	if err != nil {
		return err
	}
	name := filepath.Join(r.Dir, waitingPrefix+NewID(runs[0].Schedule, runs[0].Ended)+".json")
	if err := atomicfile.Write(name, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("keep the outcome of runs until Redis is back: %w", err)
	}
	return nil
}

// waiting returns the waiting runs and their files. It renames an unreadable file, so that
// it does not block the others.
func (r *Recorder) waiting() (runs []Run, names []string, err error) {
	entries, err := os.ReadDir(r.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), waitingPrefix) || filepath.Ext(entry.Name()) != ".json" {
			continue
		}
		name := filepath.Join(r.Dir, entry.Name())
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // another recorder was faster
		}
		var some []Run
		if err == nil {
			err = json.Unmarshal(text, &some)
		}
		if err != nil {
			r.Sys.Warnf("%s holds no outcomes of runs, and is put aside: %v", name, err)
			_ = os.Rename(name, name+".bad")
			continue
		}
		for i := range some {
			some[i].Node = r.Node
		}
		runs, names = append(runs, some...), append(names, name)
	}
	return runs, names, nil
}
