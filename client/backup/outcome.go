package backup

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/moduleapi"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// untoldPrefix begins the names of files with outcomes that wait for the gateway; they are
// not backed up. Each outcome has its own file, so that concurrent backups do not
// interfere. Reporting one twice is harmless.
const untoldPrefix = ".module-backup.untold-"

// tellTime bounds reporting to the gateway, also after a signal.
const tellTime = 30 * time.Second

// tellOutcome reports the outcome of a backup to the gateway, on a host without Redis,
// along with earlier ones that are still waiting. A failure here does not fail the backup.
func tellOutcome(ctx context.Context, sys *host.System, record *run.Record) {
	if !sys.Env.NoRedis() || record.Known == "" || record.ExitStatus == exit.Busy {
		return
	}
	m, err := sys.Env.Module()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTime)
	defer cancel()
	q := untold{sys, m.StateDir}
	if err := q.add(outcomeOf(record)); err != nil {
		sys.Warnf("what the backup came to is not kept: %v", err)
	}
	if err := q.tell(ctx); err != nil {
		sys.Warnf("the gateway is not told what the backup came to, and will be with the next one: %v", err)
	}
}

// outcomeOf converts an outcome to the form of the gateway's API.
func outcomeOf(r *run.Record) adminapi.ModuleOutcome {
	o := adminapi.ModuleOutcome{
		ID: history.NewID(r.Known, r.Started()), Schedule: r.Known, Outcome: string(history.Failed), Started: r.Started().UTC(), Ended: r.Time.UTC(),
		Snapshot: r.Snapshot, Files: r.Files, Bytes: r.Bytes, Added: r.BytesAdded, Error: r.Error, ExitStatus: int(r.ExitStatus),
		Missing: slices.Concat(r.Unreadable, r.Missing),
	}
	switch r.ExitStatus {
	case exit.OK:
		o.Outcome = string(history.Done)
	case exit.Partial, exit.Incomplete:
		o.Outcome = string(history.Partial)
	}
	const maxText, maxMissing = 1000, 50 // the gateway keeps no more
	o.Error = o.Error[:min(len(o.Error), maxText)]
	o.Missing = o.Missing[:min(len(o.Missing), maxMissing)]
	return o
}

// untold holds the waiting outcomes of a state directory.
type untold struct {
	sys *host.System
	dir string
}

func (q untold) add(o adminapi.ModuleOutcome) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(q.dir, untoldPrefix+o.ID+".json"), text, 0o600)
}

// waiting is one outcome and its file.
type waiting struct {
	adminapi.ModuleOutcome

	file string
}

// list returns the outcomes worth reporting, oldest first, and deletes the others.
func (q untold) list() ([]waiting, error) {
	files, err := filepath.Glob(filepath.Join(escapeGlob(q.dir), untoldPrefix+"*.json"))
	if err != nil {
		return nil, err
	}
	var found []waiting
	for _, file := range files {
		w := waiting{file: file}
		text, err := os.ReadFile(file)
		if err != nil {
			continue // reported by another backup
		}
		if json.Unmarshal(text, &w.ModuleOutcome) != nil || time.Since(w.Ended) > adminapi.MaxOutcomeAge {
			q.sys.Warnf("%s holds no outcome that can be told any more, and goes", file)
			_ = os.Remove(file)
			continue
		}
		found = append(found, w)
	}
	slices.SortFunc(found, func(a, b waiting) int { return cmp.Or(a.Ended.Compare(b.Ended), strings.Compare(a.ID, b.ID)) })
	return found, nil
}

// tell reports all of them, in batches.
func (q untold) tell(ctx context.Context) error {
	all, err := q.list()
	if err != nil {
		return err
	}
	const part = 50 // far below the size that the gateway accepts
	for some := range slices.Chunk(all, part) {
		err := q.post(ctx, some)
		if moduleapi.IsInvalid(err) && len(some) > 1 {
			// A single bad outcome can make the whole batch fail.
			for i := range some {
				err = q.post(ctx, some[i:i+1])
				if err != nil && !moduleapi.IsInvalid(err) {
					return err
				}
			}
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// post reports some outcomes. It also deletes what the gateway will never accept.
func (q untold) post(ctx context.Context, some []waiting) error {
	outcomes := make([]adminapi.ModuleOutcome, len(some))
	for i := range some {
		outcomes[i] = some[i].ModuleOutcome
	}
	_, err := moduleapi.Post(ctx, q.sys.Env, outcomes)
	if err != nil && (!moduleapi.IsInvalid(err) || len(some) > 1) {
		return err
	}
	if err != nil {
		q.sys.Warnf("the gateway does not take what the backup of %s came to: %v", some[0].Ended.Local().Format(time.DateTime), err)
	}
	var errs []error
	for i := range some {
		if err := os.Remove(some[i].file); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("it was told: %w", err))
		}
	}
	return errors.Join(errs...)
}
