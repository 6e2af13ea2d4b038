package runbackup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/expire"
	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/retention"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// acknowledged is the set of snapshots that somebody has reviewed on the node.
func acknowledged(ctx context.Context, rdb *redis.Client, node string) (map[string]bool, error) {
	members, err := rdb.SMembers(ctx, catalog.AcknowledgedKey(node)).Result()
	if err != nil {
		return nil, host.ReadError(catalog.AcknowledgedKey(node), err)
	}
	seen := make(map[string]bool, len(members))
	for _, id := range members {
		seen[id] = true
	}
	return seen, nil
}

// retain removes old snapshots, as the schedule says. All snapshots of a repository form
// one group: they belong to one module.
func (u *upkeep) retain(ctx context.Context, w *work, record *history.Run) error {
	// The lease keeps others away, so reading needs no restic lock.
	snapshots, err := expire.List(ctx, u.sys, w.restic.With("snapshots", "--json", "--no-lock"))
	if err != nil {
		return explained(ctx, w, err)
	}
	for _, s := range snapshots {
		s.Acknowledged = u.acknowledged(s.ID)
	}
	plan := retention.Decide(snapshots, u.facts.Schedule.Policy(), retention.GroupBy{}, time.Now())
	record.Snapshots = len(snapshots) - len(plan.Remove)
	record.Detail = fmt.Sprintf("%d of %d snapshots went", len(plan.Remove), len(snapshots))
	if n := len(plan.Held); n > 0 {
		record.Detail += fmt.Sprintf(", %d look wrong and are held", n)
		u.sys.Warnf("%s: %d snapshots look wrong, and neither go nor make others go: look at them with gatewayctl forget --module %[1]s --dry-run, and name those in order with --acknowledge", w.module.ID, n)
	}
	if err := expire.Refuse(snapshots, plan, shareOf(plan), "gatewayctl forget --force"); err != nil {
		record.Snapshots, record.Detail = len(snapshots), ""
		return err
	}
	if len(plan.Remove) == 0 {
		return nil
	}
	said := u.prefixed(w.module)
	defer said.Flush()
	return expire.Remove(plan.Remove, func(args ...string) error {
		return u.locked(ctx, w, restic.Streams{Stderr: said}, args...)
	})
}

// few is how many snapshots may be removed regardless of their share: those of a week of
// daily runs without retention. Otherwise a schedule that keeps one snapshot would never
// recover from a single killed run.
const few = 7

// shareOf returns the percentage of snapshots that a plan removes.
func shareOf(plan retention.Plan) int {
	if len(plan.Remove) <= few {
		return 100
	}
	return expire.DefaultMaxShare
}

// prune frees the space of removed snapshots, within the schedule's time limit.
func (u *upkeep) prune(ctx context.Context, w *work, record *history.Run) error {
	s := &u.facts.Schedule
	if s.PruneLimit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.PruneLimit, exit.Failf(exit.Failed, "the prune took longer than %s and was stopped: it goes on next time", s.PruneLimit))
		defer cancel()
	}
	said := u.prefixed(w.module)
	defer said.Flush()
	err := u.locked(ctx, w, restic.Streams{Stderr: said}, "prune", "--max-unused="+s.MaxUnused)
	if err == nil {
		record.Detail = "at most " + s.MaxUnused + " is unused"
	}
	return err
}

// maxParts is the most parts into which restic divides a repository.
const maxParts = 256

// check checks the repository's structure and reads a part of its data: the one after the
// part that was read last, so that everything is read within the schedule's period.
func (u *upkeep) check(ctx context.Context, w *work, record *history.Run) error {
	args := []string{"check"}
	if parts := u.parts(time.Now()); parts > 0 {
		last := u.last(w.module).Done[history.Check]
		record.Part, record.Parts = nextPart(last.Part, last.Parts, parts), parts
		args = append(args, fmt.Sprintf("--read-data-subset=%d/%d", record.Part, record.Parts))
		record.Detail = fmt.Sprintf("part %d of %d of the data was read", record.Part, record.Parts)
	}
	said := u.prefixed(w.module)
	defer said.Flush()
	err := u.locked(ctx, w, restic.Streams{Stderr: said}, args...)
	if err != nil {
		record.Detail = ""
	}
	if failure, ok := errors.AsType[*restic.Failure](err); ok && failure.Reason == restic.Unknown {
		return exit.Failf(exit.Failed, "the repository is damaged, or cannot be read as a whole: %w", err)
	}
	return err
}

// nextPart returns the next part to read. The number of parts may have changed since the
// last one.
func nextPart(last, lastParts, parts int) int {
	if lastParts > 0 && lastParts != parts {
		last = last * parts / lastParts // about the same position
	}
	return last%parts + 1
}

// parts returns the number of parts in which checks read the data; 0 means none is read.
func (u *upkeep) parts(now time.Time) int {
	s := &u.facts.Schedule
	if s.ReadDays <= 0 {
		return 0
	}
	end := now.AddDate(0, 0, s.ReadDays)
	n := 0
	for at := s.NextCheck(now); !at.IsZero() && !at.After(end) && n < maxParts; at = s.NextCheck(at) {
		n++
	}
	return max(1, n)
}
