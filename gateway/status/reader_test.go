package status_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/status"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/statustest"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// scene is a Redis, read as node 1 does.
type scene struct {
	server *redistest.Server
	reader *status.Reader
	now    time.Time
}

func newScene(t *testing.T, w statustest.World) *scene {
	t.Helper()
	now := time.Now()
	w.Now = now
	s := &scene{server: redistest.Start(t), now: now}
	s.server.SetupNS8()
	w.Fill(t, s.server)
	s.reader = status.NewReader(s.server.Client("node/1", redistest.Password("node/1")))
	return s
}

// view is what Redis says now.
func (s *scene) view(t *testing.T) *live.View {
	t.Helper()
	snapshot, err := catalog.Load(t.Context(), s.server.Client("node/1", redistest.Password("node/1")), catalog.LoadOptions{NodeID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	never := func(context.Context, *catalog.Destination) (storage.Store, io.Closer, error) {
		return nil, nil, errors.New("nothing opens here")
	}
	v, _ := live.NewView(nil, snapshot, never, nil, slog.New(slog.DiscardHandler))
	return v
}

// facts are those that are read of a view at a time.
func (s *scene) facts(t *testing.T, v *live.View, at time.Time) *status.Facts {
	t.Helper()
	return status.New(status.Sources{
		Time: at, View: v, Ready: true, MaxAge: time.Hour, Node: "1", Started: s.now, Book: s.reader.Read(t.Context(), v, at),
		Events: []status.Event{}, Failures: []status.Failure{},
	})
}

func (s *scene) write(t *testing.T, runs ...status.Run) {
	t.Helper()
	_, err := s.server.Admin().Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for _, run := range runs {
			statustest.Write(t, p, run)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFineBackupsAreFine(t *testing.T) {
	t.Parallel()
	s := newScene(t, statustest.World{Modules: 3, Destinations: 2, Days: 40, Fine: true})
	f := s.facts(t, s.view(t), s.now)
	if f.Verdict.Level != status.Good || len(f.Attention) != 0 {
		t.Fatalf("the verdict is %v: %v", f.Verdict, f.Attention)
	}
	m := f.Module(statustest.Path(2))
	if m == nil || m.Name != statustest.RightToLeft || len(m.Protections) != 2 {
		t.Fatalf("the third module is %+v", m)
	}
	p := m.Protections[0]
	if n := len(p.Days); n != status.Days || slices.ContainsFunc(p.Days[:n-1], func(o status.Outcome) bool { return o != status.Done }) {
		t.Errorf("the days are %v", p.Days)
	}
	if p.Next == nil || p.Next.Hour() != 2 || p.LastDoneOf(status.Backup) == nil || p.LastOf(status.Drill) == nil || len(p.Sizes) < status.Days-1 {
		t.Errorf("the protection is %+v", p)
	}
	if f.Counts != (status.Counts{Modules: 3, Destinations: 2, Schedules: 2}) {
		t.Errorf("the counts are %+v", f.Counts)
	}
}

func TestWhatGoesWrongIsSaid(t *testing.T) {
	t.Parallel()
	s := newScene(t, statustest.World{Modules: 8, Destinations: 2, Days: 30})
	s.server.AddModules(redistest.Module{ID: "ejabberd1", UUID: "5d1e0e90-0000-4000-8000-000000000999"})
	f := s.facts(t, s.view(t), s.now)
	if f.Verdict.Level != status.Bad {
		t.Errorf("the verdict is %v", f.Verdict)
	}
	for _, want := range []struct {
		level status.Level
		what  string
	}{
		{status.Bad, "The backup of mail1 to NAS in the cellar 1 failed"},
		{status.Bad, "was missed"},
		{status.Bad, "The restore drill of nextcloud6"},
		{status.Warning, "is not complete: it lacks volumes/data/locked.db"},
		{status.Warning, "ejabberd1 is in no schedule"},
	} {
		found := slices.IndexFunc(f.Attention, func(a status.Attention) bool { return a.Level == want.level && strings.Contains(a.What, want.what) })
		if found < 0 {
			t.Errorf("no %s attention says %q: %+v", want.level, want.what, f.Attention)
		} else if f.Attention[found].Do == "" {
			t.Errorf("%q does not say what to do", want.what)
		}
	}
	if !slices.IsSortedFunc(f.Attention, func(a, b status.Attention) int {
		return map[status.Level]int{status.Bad: 0, status.Warning: 1}[a.Level] - map[status.Level]int{status.Bad: 0, status.Warning: 1}[b.Level]
	}) {
		t.Error("the worst is not first")
	}
}

func TestOnlyWhatIsNewIsRead(t *testing.T) {
	t.Parallel()
	s := newScene(t, statustest.World{Modules: 1, Destinations: 1, Days: 3, Fine: true})
	v := s.view(t)
	before := s.facts(t, v, s.now)
	run := statustest.World{Modules: 1, Destinations: 1, Days: 1, Fine: true, Now: s.now}.Runs(0, 0)
	again := status.Run{
		ID: "again", Schedule: "1", Node: "1", Module: "mail1", Kind: status.Backup, Outcome: status.Failed, Started: s.now, Ended: s.now.Add(time.Second),
	}
	s.write(t, append(run, again)...) // what is recorded twice counts once
	if f := s.facts(t, v, s.now.Add(time.Second)); f.Verdict.Level != before.Verdict.Level {
		t.Error("Redis is asked again within a second")
	}
	f := s.facts(t, v, s.now.Add(time.Minute))
	if p := f.Modules[0].Protections[0]; p.Outcome != status.Failed || p.Days[status.Days-1] != status.Failed {
		t.Errorf("the new run is not seen: %+v", p)
	}
	if f.Runs[0].ID != "again" || len(f.Runs) != len(before.Runs)+1 {
		t.Errorf("%d runs, before %d; the newest is %s", len(f.Runs), len(before.Runs), f.Runs[0].ID)
	}
	if before.Modules[0].Protections[0].Outcome != status.Done {
		t.Error("facts that were made before have changed")
	}
}

func TestRedisThatIsAwayIsSaid(t *testing.T) {
	t.Parallel()
	s := newScene(t, statustest.World{Modules: 1, Destinations: 1, Days: 3, Fine: true})
	v := s.view(t)
	s.facts(t, v, s.now)
	s.server.Kill()
	f := s.facts(t, v, s.now.Add(time.Minute))
	if f.Verdict.Level != status.Warning || f.Redis.Error == "" {
		t.Errorf("the verdict is %v, of Redis is said %+v", f.Verdict, f.Redis)
	}
	if f.Modules[0].Protections[0].Outcome != status.Done {
		t.Error("what was read before is gone")
	}
}

func TestBackupThatShouldHaveEndedIsOverdue(t *testing.T) {
	t.Parallel()
	s := newScene(t, statustest.World{Modules: 1, Destinations: 1, Days: 3, Fine: true})
	v := s.view(t)
	f := s.facts(t, v, s.now.Add(50*time.Hour))
	if p := f.Modules[0].Protections[0]; p.Outcome != status.Overdue || p.Level != status.Bad || f.Verdict.Level != status.Bad {
		t.Errorf("it is %s, the verdict %v", p.Outcome, f.Verdict)
	}
	s.server.Do("HSET", catalog.PlanKey("1"), "paused", s.now.UTC().Format(time.RFC3339))
	f = s.facts(t, v, s.now.Add(51*time.Hour))
	if p := f.Modules[0].Protections[0]; p.Outcome != status.Done || !p.Paused || f.Verdict.Level != status.Warning {
		t.Errorf("paused, it is %s, the verdict %v", p.Outcome, f.Verdict)
	}
	s.server.Do("HSET", catalog.PlanKey("1"), "paused_until", s.now.Add(52*time.Hour).UTC().Format(time.RFC3339))
	if f = s.facts(t, v, s.now.Add(53*time.Hour)); f.Modules[0].Protections[0].Outcome != status.Overdue {
		t.Error("a pause that is over goes on")
	}
}

func TestNethServersOwnStatusIsRead(t *testing.T) {
	t.Parallel()
	s := newScene(t, statustest.World{Modules: 2, Destinations: 1})
	s.server.Do("HSET", catalog.BackupStatusKey("1", "1"),
		"mail1", `{"start":`+unix(s.now.Add(-2*time.Minute))+`,"end":`+unix(s.now.Add(-time.Minute))+`,"total_size":1024,"total_file_count":3,"snapshots_count":2,"errors":0}`,
		"nextcloud2", `{"start":`+unix(s.now.Add(-2*time.Minute))+`,"end":`+unix(s.now.Add(-time.Minute))+`,"errors":1}`)
	f := s.facts(t, s.view(t), s.now)
	good, failed := f.Module(statustest.Path(0)), f.Module(statustest.Path(1))
	if last := good.Protections[0].LastOf(status.Backup); last == nil || last.Outcome != status.Done || last.Bytes != 1024 {
		t.Errorf("the one that succeeded: %+v", last)
	}
	if failed.Protections[0].Outcome != status.Failed {
		t.Errorf("the one that failed: %+v", failed.Protections[0])
	}
}

func unix(at time.Time) string { return itoa(at.Unix()) }

func TestHistoryOfOneModule(t *testing.T) {
	t.Parallel()
	s := newScene(t, statustest.World{Modules: 4, Destinations: 2, Days: 30})
	v := s.view(t)
	runs, err := s.reader.History(t.Context(), v, status.Query{Module: "nextcloud2", Kind: status.Backup, Schedule: "2", Most: 10})
	if err != nil || len(runs) != 10 {
		t.Fatalf("%d runs: %v", len(runs), err)
	}
	for i, run := range runs {
		if run.Module != "nextcloud2" || run.Kind != status.Backup || run.Schedule != "2" || i > 0 && run.Ended.After(runs[i-1].Ended) {
			t.Errorf("run %d is %+v", i, run)
		}
	}
}
