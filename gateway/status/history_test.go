package status_test

import (
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/gateway/status"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/statustest"
)

// TestRunsAreReadAsTheCommandsRecordThem reads what client/history has written.
func TestRunsAreReadAsTheCommandsRecordThem(t *testing.T) {
	t.Parallel()
	s := newScene(t, statustest.World{Modules: 1, Destinations: 1})
	at := s.now.Add(-time.Hour).Truncate(time.Second)
	recorded := history.Run{
		ID: "20261130T020000Z-1-0a1b2c3d", Schedule: "1", Name: "Every night", Node: "1", Module: "mail1", Kind: history.Backup, Outcome: history.Partial,
		Planned: at, Started: at, Ended: at.Add(time.Minute), Destination: statustest.Destination(0), Repository: statustest.Path(0),
		Snapshot: "2060a6c0", Snapshots: 3, Files: 12, Bytes: 1 << 20, Added: 1 << 10, Missing: []string{"volumes/data/locked.db"},
	}
	checked := recorded
	checked.Kind, checked.Outcome, checked.Part, checked.Parts, checked.Error = history.Check, history.Failed, 4, 30, "pack ab is damaged"
	if err := history.Write(t.Context(), s.server.Admin(), recorded, checked); err != nil {
		t.Fatal(err)
	}
	f := s.facts(t, s.view(t), s.now)
	p := f.Modules[0].Protections[0]
	backup, check := p.LastOf(status.Backup), p.LastOf(status.Check)
	if backup == nil || check == nil || len(f.Runs) != 2 {
		t.Fatalf("the runs are %+v", f.Runs)
	}
	want := status.Run{
		ID: recorded.ID, Schedule: "1", Name: "Every night", Node: "1", Module: "mail1", Kind: status.Backup, Outcome: status.Partial,
		Destination: recorded.Destination, Repository: recorded.Repository, Snapshot: "2060a6c0", Snapshots: 3, Files: 12, Bytes: 1 << 20, Added: 1 << 10,
	}
	got := *backup
	if !got.Planned.Equal(at) || got.Took() != time.Minute || len(got.Missing) != 1 {
		t.Errorf("the backup is %+v", got)
	}
	got.Planned, got.Started, got.Ended, got.Missing = time.Time{}, time.Time{}, time.Time{}, nil
	if got.ID != want.ID || got.Name != want.Name || got.Snapshot != want.Snapshot || got.Files != want.Files || got.Bytes != want.Bytes || got.Added != want.Added || got.Outcome != want.Outcome {
		t.Errorf("the backup is %+v, want %+v", got, want)
	}
	if check.Outcome != status.Failed || check.Part != 4 || check.Parts != 30 || check.Error == "" || p.Level != status.Bad {
		t.Errorf("the check is %+v, the level %s", check, p.Level)
	}
}
