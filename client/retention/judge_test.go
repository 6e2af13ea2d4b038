package retention_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/retention"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// daily are honest snapshots of the last n days, the oldest first.
func daily(n int) (snapshots []*retention.Snapshot) {
	for i := range n {
		at := now.AddDate(0, 0, i-n).Add(time.Hour)
		snapshots = append(snapshots, &retention.Snapshot{
			ID: fmt.Sprintf("honest%02d", i), Time: at, Received: at.Add(10 * time.Minute), Hostname: "h", Paths: []string{"/srv"}, Size: 1 << 30,
		})
	}
	return snapshots
}

func forged(id string, claims, received time.Time) *retention.Snapshot {
	return &retention.Snapshot{ID: id, Time: claims, Received: received, Hostname: "h", Paths: []string{"/srv"}, Size: 1 << 30}
}

// decide makes a plan with restic's grouping, and checks that it is about all snapshots.
func decide(t *testing.T, snapshots []*retention.Snapshot, p retention.Policy) (kept, removed, held string) {
	t.Helper()
	plan := retention.Decide(snapshots, p, retention.GroupBy{Host: true, Paths: true}, now)
	if n := len(plan.Keep) + len(plan.Remove) + len(plan.Held); n != len(snapshots) {
		t.Errorf("a plan for %d of %d snapshots", n, len(snapshots))
	}
	var heldOnes []*retention.Snapshot
	for _, h := range plan.Held {
		heldOnes = append(heldOnes, h.Snapshot)
	}
	names := func(list []*retention.Snapshot) string {
		var ids []string
		for _, s := range list {
			ids = append(ids, s.ID)
		}
		slices.Sort(ids)
		return strings.Join(ids, " ")
	}
	return names(plan.Keep), names(plan.Remove), names(heldOnes)
}

var week = retention.Policy{Daily: 7}

// TestForgedSnapshotsMakeNoneGo lets a module with a stolen password do what it can. What
// the policy keeps without it is kept with it.
func TestForgedSnapshotsMakeNoneGo(t *testing.T) {
	t.Parallel()
	wantKeep, wantRemove, _ := decide(t, daily(10), week)
	future, past, empty, many := []*retention.Snapshot{}, []*retention.Snapshot{}, []*retention.Snapshot{}, []*retention.Snapshot{}
	for i := range 10 {
		future = append(future, forged(fmt.Sprintf("zz%d", i), time.Date(2031, 1, 10+i, 10, 0, 0, 0, time.UTC), now.Add(-time.Duration(i)*3*time.Hour)))
		past = append(past, forged(fmt.Sprintf("zz%d", i), now.AddDate(-1, 0, i), now.Add(-time.Duration(i)*3*time.Hour)))
	}
	for i := range 3 {
		s := forged(fmt.Sprintf("zz%d", i), now.Add(-time.Duration(i)*2*time.Hour), now.Add(-time.Duration(i)*2*time.Hour))
		s.Size = 100
		empty = append(empty, s)
	}
	for i := range 200 {
		at := now.Add(-time.Duration(i) * time.Second)
		many = append(many, forged(fmt.Sprintf("zz%03d", i), at, at))
	}
	for about, attack := range map[string][]*retention.Snapshot{
		"of the future": future, "of the past": past, "that are empty": empty, "in a burst": many,
	} {
		keep, remove, held := decide(t, append(daily(10), attack...), week)
		if keep != wantKeep || remove != wantRemove {
			t.Errorf("snapshots %s: kept %s, removed %s; want %s and %s", about, keep, remove, wantKeep, wantRemove)
		}
		if strings.Count(held, "zz") != len(attack) || strings.Contains(held, "honest") {
			t.Errorf("snapshots %s: held %s", about, held)
		}
	}
}

func TestWhatIsAcknowledgedCounts(t *testing.T) {
	t.Parallel()
	snapshots := daily(10)
	late := forged("late", now.AddDate(0, 0, -3), now)
	late.Acknowledged = true
	snapshots = append(snapshots, late)
	keep, _, held := decide(t, snapshots, retention.Policy{Last: 1})
	if keep != "late" || held != "" {
		t.Errorf("kept %s, held %s", keep, held)
	}
}

// TestModuleThatShrankIsMeasuredByWhatItIs acknowledges the first of the small ones.
func TestModuleThatShrankIsMeasuredByWhatItIs(t *testing.T) {
	t.Parallel()
	snapshots := daily(10)
	for _, s := range snapshots[6:] {
		s.Size = 1 << 20
	}
	if _, _, held := decide(t, snapshots, week); held != "honest06 honest07 honest08 honest09" {
		t.Errorf("held %s", held)
	}
	snapshots[6].Acknowledged = true
	if _, _, held := decide(t, snapshots, week); held != "" {
		t.Errorf("held %s after the first was acknowledged", held)
	}
}

func TestNodesSnapshotsCountByTheirOwnTime(t *testing.T) {
	t.Parallel()
	copied := daily(10)
	for _, s := range copied {
		s.Received, s.ByNode = now, true
	}
	wantKeep, wantRemove, _ := decide(t, daily(10), week)
	keep, remove, held := decide(t, copied, week)
	if keep != wantKeep || remove != wantRemove || held != "" {
		t.Errorf("kept %s, removed %s, held %s", keep, remove, held)
	}
}

// TestFrequentBackupsAreNoBurst backs up every five minutes for two days.
func TestFrequentBackupsAreNoBurst(t *testing.T) {
	t.Parallel()
	var snapshots []*retention.Snapshot
	for i := range 2 * 24 * 12 {
		at := now.Add(-time.Duration(i) * 5 * time.Minute)
		snapshots = append(snapshots, forged(fmt.Sprintf("s%03d", i), at, at))
	}
	if _, _, held := decide(t, snapshots, week); held != "" {
		t.Errorf("held %s", held)
	}
}

func TestSizesThatAreNotKnownHoldNothing(t *testing.T) {
	t.Parallel()
	snapshots := daily(10)
	for i, s := range snapshots {
		if i%2 == 0 {
			s.Size = -1
		}
	}
	if _, _, held := decide(t, snapshots, week); held != "" {
		t.Errorf("held %s", held)
	}
}

func TestParseSpan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]retention.Span{
		"7d": {Days: 7}, "1y5m7d2h": {Years: 1, Months: 5, Days: 7, Hours: 2}, "36h": {Hours: 36}, "3m": {Months: 3},
	} {
		if got, err := retention.ParseSpan(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "7", "d", "2h7d", "-1d", "1w", "1.5d"} {
		if got, err := retention.ParseSpan(text); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}
