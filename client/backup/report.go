package backup

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// summaryEvent is the last event of a backup that made a snapshot.
type summaryEvent struct {
	Event      string   `json:"event"` // "summary"
	SnapshotID string   `json:"snapshot_id"`
	Files      uint64   `json:"files"`
	BytesRead  uint64   `json:"bytes_read"`
	BytesAdded uint64   `json:"bytes_added"`
	Seconds    float64  `json:"seconds"`
	Unreadable []string `json:"unreadable"`
	Missing    []string `json:"missing"` // what else was requested and is not in the snapshot
}

// failureEvent is the last event of a command that failed.
type failureEvent struct {
	Event      string `json:"event"` // "failure"
	ExitStatus int    `json:"exit_status"`
	Message    string `json:"message"`
}

func newFailureEvent(ctx context.Context, err error) failureEvent {
	return failureEvent{"failure", exit.CodeOf(ctx, err), err.Error()}
}

// added returns how many bytes the repository grew.
func (o *backupOutcome) added() uint64 {
	// Restic before 0.16 reports only the size before compression.
	return cmp.Or(o.summary.DataAddedPacked, o.summary.DataAdded)
}

// note copies the outcome into the record of the run.
func (o *backupOutcome) note(record *run.Record) {
	record.Snapshot = o.summary.SnapshotID
	record.Files, record.Bytes = o.summary.TotalFilesProcessed, o.summary.TotalBytesProcessed
	record.BytesAdded = o.added()
	record.Missing = o.missing
	for _, file := range o.unreadable {
		record.Unreadable = append(record.Unreadable, file.Item)
	}
}

// report prints what the snapshot holds, and which files it lacks.
func (o *backupOutcome) report(sys *host.System, events bool) error {
	added := o.added()
	for _, file := range o.unreadable {
		sys.Warnf("%s: %s", file.Item, file.Message)
	}
	if !events {
		sys.Notef("snapshot %s: %d files, %s read, %s added, %s", o.summary.SnapshotID, o.summary.TotalFilesProcessed,
			host.FormatBytes(o.summary.TotalBytesProcessed), host.FormatBytes(added), o.summary.Duration().Round(10*time.Millisecond))
		return nil
	}
	event := summaryEvent{
		Event: "summary", SnapshotID: o.summary.SnapshotID, Files: o.summary.TotalFilesProcessed,
		BytesRead: o.summary.TotalBytesProcessed, BytesAdded: added, Seconds: o.summary.TotalDuration,
		Unreadable: []string{}, Missing: append([]string{}, o.missing...),
	}
	for _, file := range o.unreadable {
		event.Unreadable = append(event.Unreadable, file.Item)
	}
	if err := json.NewEncoder(sys.Stdout).Encode(event); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	return nil
}
