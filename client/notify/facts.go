package notify

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/runs"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// week is the period over which growth is measured.
const week = 7 * 24 * time.Hour

// growth is how much the backups of a module by a schedule grew in a week.
type growth struct {
	added  uint64 // to the repository
	change int64  // in the size of a snapshot
}

// audit is the head of the audit log of a node's gateway.
type audit struct{ node, head, at string }

// facts is what a digest shows in addition to the present state.
type facts struct {
	grown  map[[2]string]growth // by schedule and module
	audits []audit
}

func gather(ctx context.Context, rdb *redis.Client, now time.Time) (*facts, error) {
	f := &facts{grown: map[[2]string]growth{}}
	past, err := history.Read(ctx, rdb, history.Query{Kind: history.Backup, Since: now.Add(-week)})
	if err != nil {
		return nil, err
	}
	f.grow(past)
	keys, err := host.ScanKeys(ctx, rdb, catalog.AuditHeadKey("*"))
	if err != nil {
		return nil, host.ReadError(catalog.AuditHeadKey("*"), err)
	}
	before, after, _ := strings.Cut(catalog.AuditHeadKey("*"), "*")
	for _, key := range keys {
		fields, err := rdb.HGetAll(ctx, key).Result()
		if err != nil {
			return nil, host.ReadError(key, err)
		}
		if fields["head"] != "" {
			node := strings.TrimSuffix(strings.TrimPrefix(key, before), after)
			f.audits = append(f.audits, audit{node, fields["head"], fields["time"]})
		}
	}
	slices.SortFunc(f.audits, func(a, b audit) int { return names.CompareNumbers(a.node, b.node) })
	return f, nil
}

// grow computes growth from backups, newest first.
func (f *facts) grow(past []history.Run) {
	newest := map[[2]string]uint64{}
	for i := range past {
		r := &past[i]
		if r.Outcome != history.Done && r.Outcome != history.Partial {
			continue
		}
		at := [2]string{r.Schedule, r.Module}
		g := f.grown[at]
		if _, known := newest[at]; !known {
			newest[at] = r.Bytes
		}
		g.added += r.Added
		g.change = int64(newest[at]) - int64(r.Bytes)
		f.grown[at] = g
	}
}

// ran returns the schedules whose last run has ended, with the ID of that run.
func ran(ctx context.Context, rdb *redis.Client, o *observation) (map[string]string, error) {
	latest, err := history.Latest(ctx, rdb, "")
	if err != nil {
		return nil, err
	}
	newest := map[string]history.Run{}
	for at, last := range latest {
		for _, r := range last.Run {
			if r.Ended.After(newest[at[0]].Ended) {
				newest[at[0]] = r
			}
		}
	}
	going, err := going(ctx, rdb)
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for i := range o.overview.Modules {
		id := o.overview.Modules[i].Schedule
		if r := newest[id]; r.ID != "" && !going[id] {
			ids[id] = r.ID
		}
	}
	return ids, nil
}

// going returns the schedules that have a run in progress on any node.
func going(ctx context.Context, rdb *redis.Client) (map[string]bool, error) {
	keys, err := host.ScanKeys(ctx, rdb, catalog.LiveRunsKey("*"))
	if err != nil {
		return nil, host.ReadError(catalog.LiveRunsKey("*"), err)
	}
	found := map[string]bool{}
	for _, key := range keys {
		fields, err := rdb.HKeys(ctx, key).Result()
		if err != nil {
			return nil, host.ReadError(key, err)
		}
		for _, field := range fields {
			id, _, _ := strings.Cut(field, " ")
			found[id] = true
		}
	}
	return found, nil
}

// of returns the runs of a schedule, or all runs if it is "".
func of(lines []runs.Line, schedule string) []runs.Line {
	if schedule == "" {
		return lines
	}
	return slices.DeleteFunc(slices.Clone(lines), func(l runs.Line) bool { return l.Schedule != schedule })
}
