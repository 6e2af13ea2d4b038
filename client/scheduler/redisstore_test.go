package scheduler

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// asNode is a store as the user of a node.
func asNode(t *testing.T, server *redistest.Server, now func() time.Time) *RedisStore {
	t.Helper()
	vars := map[string]string{
		"REDIS_ADDRESS": server.Addr, "REDIS_USER": "node/1", "REDIS_PASSWORD": redistest.Password("node/1"),
		"NS8_AGENT_ENV": "/nonexistent", "NS8_CORE_ENV": "/nonexistent",
	}
	sys := host.NewSystem(strings.NewReader(""), t.Output(), t.Output())
	sys.Env = host.NewEnvironment(func(name string) (string, bool) { value, ok := vars[name]; return value, ok })
	store := &RedisStore{Sys: sys, Node: "1", Now: now}
	t.Cleanup(store.Close)
	return store
}

// TestStatesAreSharedThroughRedis has two schedulers of a node, with the rights of its user.
func TestStatesAreSharedThroughRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.SetupNS8()
	server.AddNode("2", "10.5.4.2")
	server.AddModules(redistest.Module{ID: "app1", UUID: "11111111-1111-4111-8111-111111111111"},
		redistest.Module{ID: "app2", UUID: "22222222-2222-4222-8222-222222222222", Node: "2"})
	server.AddSchedule(redistest.Schedule{ID: "1", Repository: "d", Instances: []string{"app1", "app2", "gone1"}})
	server.AddSchedule(redistest.Schedule{ID: "2", Repository: "d", Instances: []string{"app2"}})
	now := time.Date(2026, time.November, 30, 2, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	a, b := asNode(t, server, clock), asNode(t, server, clock)
	ctx := t.Context()

	planned, states, err := a.Load(ctx)
	if err != nil || len(states) != 0 || len(planned) != 1 || !reflect.DeepEqual(planned[0].Here, []string{"app1", "gone1"}) {
		t.Fatalf("node 1 has %+v, %v, %v", planned, states, err)
	}
	if err := a.Beat(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	first := State{Planned: now, Owner: "a", Started: now, When: "x"}
	if _, claimed, err := a.Claim(ctx, "1", first); err != nil || !claimed {
		t.Fatalf("the first claim: %t, %v", claimed, err)
	}
	for _, refused := range []State{
		{Planned: now, Owner: "b", Started: now},                  // the same time
		{Planned: now.Add(time.Minute), Owner: "b", Started: now}, // the next one, while a is at work
	} {
		current, claimed, err := b.Claim(ctx, "1", refused)
		if err != nil || claimed || current.Owner != "a" || !current.Planned.Equal(now) {
			t.Errorf("b claims %v: %+v, %t, %v", refused.Planned, current, claimed, err)
		}
	}
	server.Do("DEL", catalog.SchedulerAliveKey("1", "a")) // it expired
	if alive, err := b.Alive(ctx, []string{"a"}); err != nil || alive["a"] {
		t.Errorf("a scheduler that is dead: %v, %v", alive, err)
	}
	if _, claimed, err := b.Claim(ctx, "1", State{Planned: now, Owner: "b", Started: now}); err != nil || !claimed {
		t.Errorf("b begins again what a left: %t, %v", claimed, err)
	}
	if err := b.Save(ctx, "1", State{Planned: now, Owner: "b", Started: now, Ended: now, Status: 4}); err != nil {
		t.Error(err)
	}
	if err := a.Save(ctx, "1", State{Planned: now.Add(-time.Minute), Owner: "a"}); err != nil {
		t.Error(err)
	}
	_, states, err = b.Load(ctx)
	if got := states["1"]; err != nil || got.Owner != "b" || got.Status != 4 || got.Going() {
		t.Errorf("what is known at last is %+v, %v", got, err)
	}
	if over, err := b.Recorded(ctx, planned[0], now); err != nil || over {
		t.Errorf("a run without an outcome is over: %t, %v", over, err)
	}
	rdb, err := b.connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i, module := range planned[0].Here {
		run := history.Run{ID: "r", Schedule: "1", Node: "1", Module: module, Kind: history.Backup, Outcome: history.Done, Planned: now, Ended: now}
		if err := history.Write(ctx, rdb, run); err != nil {
			t.Fatal(err)
		}
		if over, err := b.Recorded(ctx, planned[0], now); err != nil || over != (i == len(planned[0].Here)-1) {
			t.Errorf("with %d outcomes it is over: %t, %v", i+1, over, err)
		}
	}
	// A time that lies in the future is that of a clock that was wrong.
	if err := a.Save(ctx, "1", State{Planned: now.AddDate(3, 0, 0), Owner: "a", Ended: now}); err != nil {
		t.Error(err)
	}
	if _, claimed, err := b.Claim(ctx, "1", State{Planned: now.Add(time.Minute), Owner: "b", Started: now}); err != nil || !claimed {
		t.Errorf("after a clock that was wrong: %t, %v", claimed, err)
	}
}

func TestWhatANodeKnewIsRecalled(t *testing.T) {
	t.Parallel()
	file := FileMemory(filepath.Join(t.TempDir(), "runs", "scheduler.json"))
	if planned, states, err := file.Recall(); err != nil || planned != nil || states != nil {
		t.Errorf("without a file: %v, %v, %v", planned, states, err)
	}
	s := every("7", "Mon..Fri 02:30")
	s.Name, s.RandomDelay, s.Quiet.From, s.Quiet.To = "nightly", time.Hour, 8*time.Hour, 18*time.Hour
	now := time.Date(2026, time.November, 30, 2, 0, 0, 0, time.UTC)
	want := []Planned{{Schedule: s, Here: []string{"app1"}}}
	if err := file.Keep(want, map[string]State{"7": {Planned: now, Owner: "a", Started: now}}); err != nil {
		t.Fatal(err)
	}
	planned, states, err := file.Recall()
	if err != nil || !reflect.DeepEqual(planned, want) || !states["7"].Going() || !states["7"].Planned.Equal(now) {
		t.Errorf("recalled is %+v, %+v, %v; want %+v", planned, states, err, want)
	}
}
