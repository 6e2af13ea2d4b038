package examine

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// ErrUnknownDestination says that Redis holds no usable destination with that ID.
var ErrUnknownDestination = errors.New("no such destination")

// errNoCandidate says that a request describes no destination.
var errNoCandidate = errors.New("no destination can be made of this")

// Destination tests one destination as the running gateway does for [adminapi.CheckPath]:
// through the code that serves backups, it lists, writes a small file, reads it back and
// deletes it. The report says whether the destination works; an error means that it was not
// tested.
func Destination(ctx context.Context, src live.Source, req adminapi.CheckRequest) (*adminapi.CheckReport, error) {
	snapshot, open, done, err := live.Once(ctx, src)
	if err != nil {
		return nil, err
	}
	defer done(ctx)
	d, err := Wanted(snapshot, src.Load, req)
	if err != nil {
		return nil, err
	}
	limits := snapshot.Limits[d.ID]
	return Run(ctx, d, &limits, open, req), nil
}

// Wanted returns the destination that a request describes or names.
func Wanted(snapshot *catalog.Snapshot, opts catalog.LoadOptions, req adminapi.CheckRequest) (*catalog.Destination, error) {
	if c := req.Candidate; c != nil {
		d, err := snapshot.Candidate(req.ID, catalog.Record(*c), opts)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNoCandidate, err)
		}
		return d, nil
	}
	d := snapshot.Destinations[req.ID]
	if d == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownDestination, whyUnknown(snapshot, req.ID))
	}
	return d, nil
}

// whyUnknown looks for a warning about the entry.
func whyUnknown(snapshot *catalog.Snapshot, id string) string {
	for _, warning := range snapshot.Warnings {
		if warning.Key == catalog.DestinationKey(id) || warning.Key == catalog.RcloneConf+" "+id {
			return warning.Key + ": " + warning.Reason
		}
	}
	return "Redis has none of that ID"
}

// Run opens a destination, tests it and closes it. A directory that is about to be saved
// and passes the test gets its marker: its disk may be gone before the first backup.
func Run(ctx context.Context, d *catalog.Destination, limits *catalog.Limits, open live.Opener, req adminapi.CheckRequest) *adminapi.CheckReport {
	report := &adminapi.CheckReport{ID: d.ID, Type: d.Type, Node: d.PeerNode}
	if d.PeerNode != "" {
		report.Reason = "it is on the disk of node " + d.PeerNode + ": check it there"
		return report
	}
	p := &proof{}
	var closer io.Closer
	failed, err := stepOpen, p.step(ctx, stepOpen, func(ctx context.Context) (err error) {
		p.store, closer, err = open(ctx, d)
		return err
	})
	if err == nil {
		failed, err = p.run(ctx)
	}
	if err == nil {
		report.Undo = p.undo(ctx, limits)
	}
	report.Steps, report.Notes = p.steps, p.notes
	if err != nil {
		report.Error, report.Reason = diagnoseNamed(d, failed, err)
		report.Detail = err.Error()
	} else if req.Conformance {
		report.Conformance = conform(ctx, p.store)
	}
	if err == nil && req.Candidate != nil {
		report.Repository = findRepository(ctx, p.store)
	}
	if dir, ok := p.store.(*local.Store); ok && err == nil && req.Candidate != nil {
		dir.Adopt()
	}
	if closer != nil {
		_ = closer.Close() // the test is complete
	}
	return report
}
