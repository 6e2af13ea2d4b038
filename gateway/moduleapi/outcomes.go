package moduleapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/outcome"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/status"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

const (
	// postBurst is how many posts a module may make at once, postEvery the time until it
	// may make another one: a module with a backup per minute posts every minute.
	postBurst = 60
	postEvery = 10 * time.Second

	// maxText bounds a text, maxMissing a list: both are shown in tables.
	maxText    = 1000
	maxMissing = 20
)

var (
	idPattern       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)
	snapshotPattern = regexp.MustCompile(`^([0-9a-f]{8,64})?$`)
)

// Allow counts a post, or refuses it if there were too many.
func (a *API) Allow(module string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	limiter := a.limiters[module]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Every(postEvery), postBurst)
		a.limiters[module] = limiter
	}
	if !limiter.Allow() {
		return refusal.ErrOutcomeRate
	}
	return nil
}

// Record writes outcomes of a module's backups to the history of the gateway's node, as if
// the node had run them. The facts decide where they belong, not the module.
func (a *API) Record(ctx context.Context, facts adminapi.ModuleFacts, posted []adminapi.ModuleOutcome) (reply adminapi.ModuleRecorded, err error) {
	if a.node == "" {
		return reply, fmt.Errorf("outcomes of runs without NODE_ID: %w", errors.ErrUnsupported)
	}
	if len(posted) == 0 || len(posted) > adminapi.MaxOutcomes {
		return reply, fmt.Errorf("%w: %d outcomes: 1 to %d are taken", fs.ErrInvalid, len(posted), adminapi.MaxOutcomes)
	}
	now := time.Now()
	var runs []status.Run
	for _, o := range posted {
		i := slices.IndexFunc(facts.Schedules, func(s adminapi.ModuleSchedule) bool { return s.ID == o.Schedule })
		if i < 0 {
			reply.Unlisted = append(reply.Unlisted, o.Schedule)
			continue
		}
		if err := check(&o, now); err != nil {
			return reply, err
		}
		runs = append(runs, a.runOf(facts, &facts.Schedules[i], &o, now))
	}
	if len(runs) == 0 {
		return reply, fmt.Errorf("%w: no schedule of these lists the module", refusal.ErrScope)
	}
	reply.Recorded = len(runs)
	return reply, a.write(ctx, runs)
}

// check refuses outcomes that cannot come from a backup.
func check(o *adminapi.ModuleOutcome, now time.Time) error {
	switch {
	case !idPattern.MatchString(o.ID):
		return fmt.Errorf("%w: an outcome without a proper ID", fs.ErrInvalid)
	case !slices.Contains([]status.Outcome{status.Done, status.Partial, status.Failed}, status.Outcome(o.Outcome)):
		return fmt.Errorf("%w: outcome %.20q", fs.ErrInvalid, o.Outcome)
	case !snapshotPattern.MatchString(o.Snapshot):
		return fmt.Errorf("%w: an outcome without a proper snapshot ID", fs.ErrInvalid)
	case o.Ended.IsZero() || now.Sub(o.Ended) > adminapi.MaxOutcomeAge:
		return fmt.Errorf("%w: a run that ended at %s", fs.ErrInvalid, o.Ended.Format(time.RFC3339))
	case o.ExitStatus < 0 || o.ExitStatus > 255:
		return fmt.Errorf("%w: exit status %d", fs.ErrInvalid, o.ExitStatus)
	}
	return nil
}

// runOf returns the run as a node would have recorded it. A time in the future counts as
// now, otherwise the run would remain the last one for as long.
func (a *API) runOf(facts adminapi.ModuleFacts, s *adminapi.ModuleSchedule, o *adminapi.ModuleOutcome, now time.Time) status.Run {
	if ahead := o.Ended.Sub(now); ahead > 0 {
		o.Ended = o.Ended.Add(-ahead)
		if !o.Started.IsZero() {
			o.Started = o.Started.Add(-ahead)
		}
	}
	if o.Started.After(o.Ended) || now.Sub(o.Started) > 2*adminapi.MaxOutcomeAge {
		o.Started = time.Time{}
	}
	r := status.Run{
		ID: o.ID, Schedule: s.ID, Name: s.Name, Node: a.node, Module: facts.ID, UUID: facts.UUID,
		Kind: status.Backup, Outcome: status.Outcome(o.Outcome), Started: o.Started, Ended: o.Ended,
		Destination: s.Destination, Snapshot: o.Snapshot, Files: o.Files, Bytes: o.Bytes, Added: o.Added,
		Error: plain(o.Error), ExitStatus: o.ExitStatus, Detail: "told by the module, of another host",
	}
	if len(facts.Own) > 0 {
		r.Repository = facts.Own[0]
	}
	for i, missing := range o.Missing {
		if i == maxMissing {
			r.Missing = append(r.Missing, fmt.Sprintf("and %d more", len(o.Missing)-i))
			break
		}
		r.Missing = append(r.Missing, plain(missing))
	}
	return r
}

// plain returns a text as one line of bounded length.
func plain(text string) string {
	cut := len(text) > maxText
	if cut {
		text = text[:maxText]
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if cut {
		text += "…"
	}
	return text
}

func (a *API) write(ctx context.Context, runs []status.Run) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := a.writer.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for i := range runs {
			r := &runs[i]
			text, err := json.Marshal(r)
			if err != nil {
				return fmt.Errorf("%w: %w", refusal.ErrDefect, err)
			}
			outcome.Add(ctx, p, outcome.Place{Node: a.node, Schedule: r.Schedule, Module: r.Module, Kind: string(r.Kind)}, r.Outcome == status.Done, text)
		}
		return nil
	})
	if err != nil {
		return unready("record what runs came to", err)
	}
	return nil
}

// Lists reports whether a snapshot's schedules of those outcomes all list the module.
func Lists(s *catalog.Snapshot, module string, posted []adminapi.ModuleOutcome) bool {
	listed := map[string]bool{}
	for _, schedule := range slices.Concat(s.Schedules, s.OffSchedules) {
		if slices.Contains(schedule.Modules, module) {
			listed[schedule.ID] = true
		}
	}
	return !slices.ContainsFunc(posted, func(o adminapi.ModuleOutcome) bool { return !listed[o.Schedule] })
}
