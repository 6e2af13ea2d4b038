package status_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/status"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// roomy is a store that says how full it is.
type roomy struct {
	storage.Store
	used int64
}

func (s *roomy) Space(context.Context) (free, used, total int64, err error) {
	return 1000 - s.used, s.used, 1000, nil
}

func TestDayOnWhichADestinationIsFull(t *testing.T) {
	t.Parallel()
	const id = "0e5a17e0-0000-4000-8000-000000000000"
	store := &roomy{Store: storetest.NewMem()}
	open := func(context.Context, *catalog.Destination) (storage.Store, io.Closer, error) { return store, nil, nil }
	dir := t.TempDir()
	trends, err := status.OpenTrends(dir)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2026, 11, 1, 12, 0, 0, 0, time.Local)
	var v *live.View
	for day := range 11 {
		store.used = int64(100 + 50*day) // of 1000
		snapshot := &catalog.Snapshot{Destinations: map[string]*catalog.Destination{id: {ID: id, Name: "disk", Type: "s3"}}}
		v, _ = live.NewView(nil, snapshot, open, nil, slog.New(slog.DiscardHandler))
		if told := v.Space(t.Context())[id]; told.Used == nil {
			t.Fatal("the space is not told")
		}
		if err := trends.Look(v, begin.AddDate(0, 0, day)); err != nil {
			t.Fatal(err)
		}
	}
	if daily, known := trends.Daily(id); !known || daily != 50 {
		t.Errorf("it grows by %d, %v", daily, known)
	}
	again, err := status.OpenTrends(dir)
	if err != nil {
		t.Fatal(err)
	}
	now := begin.AddDate(0, 0, 10)
	f := status.New(status.Sources{Time: now, View: v, Ready: true, Trends: again})
	d := f.Destination(id)
	// 400 are free, 50 a day go.
	if d.Space == nil || d.Space.Full != now.AddDate(0, 0, 8).Format(time.DateOnly) || d.Level != status.Warning {
		t.Errorf("the destination is %+v, its space %+v", d, d.Space)
	}
	if _, known := trends.Daily("another"); known {
		t.Error("something is said of what was never watched")
	}
	if err := os.WriteFile(filepath.Join(dir, "space.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if fresh, err := status.OpenTrends(dir); err == nil || fresh == nil {
		t.Error("a damaged file is not said, or hinders")
	}
}

func TestBackupThatNobodyRecordedCounts(t *testing.T) {
	t.Parallel()
	const id = "0e5a17e0-0000-4000-8000-000000000000"
	snapshot := &catalog.Snapshot{
		Destinations: map[string]*catalog.Destination{id: {ID: id, Name: "disk", Type: "local"}},
		Principals:   map[string]*catalog.Principal{"module/mail1": {Name: "module/mail1", Role: catalog.RoleModule, ID: "mail1", Own: []string{"mail/uuid"}}},
		Schedules:    []catalog.Schedule{{ID: "1", Destination: id, Modules: []string{"mail1"}}},
	}
	v, _ := live.NewView(nil, snapshot, nil, nil, slog.New(slog.DiscardHandler))
	now := time.Now()
	f := status.New(status.Sources{Time: now, View: v, Ready: true, Newest: func(destination, repo string) time.Time {
		if destination == id && repo == "mail/uuid" {
			return now.Add(-time.Minute)
		}
		return time.Time{}
	}})
	if p := f.Modules[0].Protections[0]; p.Outcome != status.Done || f.Verdict.Level != status.Good {
		t.Errorf("it is %+v, the verdict %v", p, f.Verdict)
	}
}

func TestNothingIsKnownBeforeRedisWasRead(t *testing.T) {
	t.Parallel()
	f := status.New(status.Sources{Time: time.Now()})
	if f.Verdict.Level != status.Bad || len(f.Attention) != 1 {
		t.Errorf("the verdict is %v: %v", f.Verdict, f.Attention)
	}
}

func TestFailuresAreCountedAndBounded(t *testing.T) {
	t.Parallel()
	var f status.Failures
	now := time.Now()
	for i := range 300 {
		f.Add("user"+strconv.Itoa(i), "10.0.0.1", "unknown_user", now.Add(time.Duration(i)*time.Second))
	}
	f.Add("user299", "10.0.0.1", "unknown_user", now.Add(time.Hour))
	all := f.List()
	if len(all) != 200 || all[0].User != "user299" || all[0].Count != 2 || all[0].First.Equal(all[0].Last) {
		t.Errorf("%d are remembered, the newest is %+v", len(all), all[0])
	}
	f.Add(string(make([]byte, 5000))+"\xff", "10.0.0.2", "unknown_user", now.Add(2*time.Hour))
	if user := f.List()[0].User; len(user) > 80 {
		t.Errorf("a name of %d bytes is remembered", len(user))
	}
}
