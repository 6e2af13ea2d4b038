package runbackup

import (
	"slices"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
)

// TestDrillsComeByTurns chooses of five modules, by what is known of their last drills.
func TestDrillsComeByTurns(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	daysAgo := func(days int, outcome history.Outcome) history.Run {
		return history.Run{Node: "1", Kind: history.Drill, Outcome: outcome, Started: now.AddDate(0, 0, -days)}
	}
	for _, tt := range []struct {
		name   string
		drill  string
		most   int
		drills map[string]history.Run
		backup map[string]history.Outcome // other than done
		gone   string
		want   []string
	}{
		{"none was ever tried: the first one", "weekly", 1, nil, nil, "", []string{"a"}},
		{"all of them", "weekly", 0, nil, nil, "", []string{"a", "b", "c", "d", "e"}},
		{
			"those whose last drill is the longest ago", "daily", 2,
			map[string]history.Run{"a": daysAgo(3, history.Done), "b": daysAgo(9, history.Done), "c": daysAgo(2, history.Done), "d": daysAgo(8, history.Done), "e": daysAgo(4, history.Done)},
			nil, "",
			[]string{"b", "d"},
		},
		{
			"and again those whose last one failed", "daily", 1,
			map[string]history.Run{"a": daysAgo(3, history.Done), "b": daysAgo(9, history.Done), "c": daysAgo(2, history.Failed), "d": daysAgo(8, history.Done), "e": daysAgo(4, history.Done)},
			nil, "",
			[]string{"b", "c"},
		},
		{"none, as one was tried today", "daily", 1, map[string]history.Run{"c": daysAgo(0, history.Failed)}, nil, "", nil},
		{
			"one of another node does not count", "daily", 1,
			map[string]history.Run{"c": {Node: "2", Kind: history.Drill, Outcome: history.Done, Started: now}},
			nil, "",
			[]string{"a"},
		},
		{"one that was skipped does not count", "daily", 1, map[string]history.Run{"a": daysAgo(0, history.Skipped)}, nil, "", []string{"a"}},
		{
			"not those whose backup failed now, and not one that is gone", "weekly", 2, nil,
			map[string]history.Outcome{"a": history.Failed, "b": history.Skipped, "d": history.Partial}, "c",
			[]string{"d", "e"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plan := schedule.DefaultPlan()
			plan.Drill, plan.DrillModules, plan.TimeZone = tt.drill, tt.most, "UTC"
			r := &execution{facts: facts{Node: "1", Schedule: schedule.Schedule{ID: "1", Plan: plan}}}
			r.upkeep = newUpkeep(r)
			r.upkeep.memory.known, r.upkeep.memory.last = true, map[[2]string]*history.Last{}
			for _, id := range []string{"a", "b", "c", "d", "e"} {
				r.facts.Modules = append(r.facts.Modules, module{ID: id, Gone: id == tt.gone})
			}
			r.journal = newJournal(t.TempDir(), "1", now, now, r.facts.Modules)
			for i := range r.facts.Modules {
				id := r.facts.Modules[i].ID
				outcome := tt.backup[id]
				if outcome == "" {
					outcome = history.Done
				}
				if err := r.journal.note(id, history.Backup, outcome); err != nil {
					t.Fatal(err)
				}
				if run, tried := tt.drills[id]; tried {
					r.upkeep.memory.last[[2]string{"1", id}] = &history.Last{Schedule: "1", Module: id, Run: map[history.Kind]history.Run{history.Drill: run}}
				}
			}
			if got := r.chooseDrills(t.Context(), now); !slices.Equal(got, tt.want) {
				t.Errorf("it chose %v, want %v", got, tt.want)
			}
		})
	}
}

// TestKilledDrillsAreOwed has a run that was killed before the second of its drills.
func TestKilledDrillsAreOwed(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	modules := []module{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	j := newJournal(dir, "1", now, now, modules)
	for _, m := range modules {
		for _, kind := range []history.Kind{history.Backup, history.Retention} {
			if err := j.note(m.ID, kind, history.Done); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := j.chooseDrills([]string{"c", "a"}); err != nil {
		t.Fatal(err)
	}
	if err := j.note("c", history.Drill, history.Done); err != nil {
		t.Fatal(err)
	}
	killed, err := readJournal(dir, "1")
	if err != nil || killed == nil {
		t.Fatalf("%v, %v", killed, err)
	}
	for i, want := range [][]history.Kind{{history.Drill}, nil, nil} {
		if owed := killed.owed(&modules[i]); !slices.Equal(owed, want) {
			t.Errorf("owed of %s is %v, want %v", modules[i].ID, owed, want)
		}
	}
}
