package drill

import (
	"cmp"
	"context"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/locate"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// Planned is a drill that a schedule plans for one of its modules on this node.
type Planned struct {
	Schedule, Module string // IDs
	// Wait is how long it waits for another run that is in its way.
	Wait time.Duration
}

// Try drills like the command, but records nothing: the report holds the result, errors
// included.
func (p Planned) Try(ctx context.Context, sys *host.System) *Report {
	o := options{
		choice: locate.Choice{Backup: p.Schedule}, wait: run.Waiting{Limit: p.Wait}, dir: baseOf(sys.Env, ""), sample: defaultSample,
	}
	report := &Report{Started: time.Now()}
	err := o.tryOnNode(ctx, sys, p.Module, report)
	if report.Ended.IsZero() {
		report.end(ctx, judge(ctx, err))
	}
	return report
}

// Fill copies the result of a drill into a run.
func (r *Report) Fill(run *history.Run) {
	run.Started, run.Ended = r.Started, r.Ended
	run.Outcome, run.Error, run.ExitStatus = history.Failed, r.Error, r.ExitStatus
	run.Repository, run.Destination = cmp.Or(r.Repository, run.Repository), cmp.Or(r.Destination, run.Destination)
	run.UUID, run.Snapshot = cmp.Or(r.UUID, run.UUID), r.Snapshot
	run.Files, run.Bytes = r.Files, r.Bytes
	if r.Outcome == Proven {
		run.Outcome, run.Error, run.Detail = history.Done, "", r.detail()
	}
}
