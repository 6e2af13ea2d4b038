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

// Write records runs in Redis, on the leader, as the user of the node that r.Node names.
// A run whose module has gone is recorded as well.
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

// Recorder records the runs of a node, and keeps in a directory what Redis does not take.
type Recorder struct {
	Sys  *host.System
	Node string
	// Dir is the node's own, the same for each recorder of it; it is made.
	Dir string
}

// Record records runs, and those that waited. Where Redis does not take them now they are
// in the directory before it returns, and said returns why: nothing is lost. The error is
// that they are nowhere.
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

// waitingPrefix begins the names of files with runs that are to be recorded.
const waitingPrefix = "unrecorded-"

// JournalFile is the file, in the directory of a node's recorder, which is there while a run
// of a schedule goes on, or was killed.
func JournalFile(dir, schedule string) string {
	return filepath.Join(dir, "run-"+schedule+".json")
}

// keep writes runs into a file of their own, all or none.
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

// waiting are the runs that are to be recorded, and their files. A file that cannot be
// read as runs is put aside: it hinders no other.
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
