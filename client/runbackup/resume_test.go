package runbackup

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

func twoModules() []module {
	return []module{{ID: "a1", UUID: uuid(0), App: "a"}, {ID: "b1", UUID: uuid(1), App: "b"}}
}

// newTwo has modules of which each notes that it ran.
func newTwo(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, "a1", "b1")
	w.script("a1", "echo a1 >> $DIR/ran")
	w.script("b1", "echo b1 >> $DIR/ran")
	return w
}

func (w *world) wantRan(want string) {
	w.t.Helper()
	if got := w.read("ran"); got != want {
		w.t.Errorf("there ran %q, want %q", got, want)
	}
	if _, err := os.Stat(history.JournalFile(w.dir, "1")); err == nil {
		w.t.Error("the journal of the run stays")
	}
}

// TestRunThatGoesOnIsRedForWhatFailedBeforeItWasKilled was green for it.
func TestRunThatGoesOnIsRedForWhatFailedBeforeItWasKilled(t *testing.T) {
	t.Parallel()
	w := newTwo(t)
	w.killed(func(j *journal) {
		j.Modules = twoModules()
		j.Done = done{"a1": {history.Backup: history.Failed, history.Retention: history.Skipped}}
	})
	w.want(exit.Failed)
	w.wantSaid("schedule 1 failed for a1")
	w.wantRan("b1\n")
	w.wantOutcomes("b1 backup done", "b1 retention done")
	w.wantMetric("0")
}

func TestRunThatGoesOnDoesWhatIsLeftOnly(t *testing.T) {
	t.Parallel()
	w := newTwo(t)
	planned := time.Now().Add(-time.Hour).Truncate(time.Second).UTC()
	w.killed(func(j *journal) {
		j.Planned, j.Modules = planned, twoModules()
		j.Done = done{"a1": {history.Backup: history.Done, history.Retention: history.Done}, "b1": {history.Backup: history.Partial}}
		j.Due = map[string][]history.Kind{"a1": {history.Check}, "b1": {history.Prune}}
	})
	w.want(exit.Partial, plannedFor(planned))
	w.wantRan("")
	w.wantOutcomes("a1 check done", "b1 prune done", "b1 retention done")
}

// TestRunThatWasKilledAndIsNotBegunAgainLosesNoOutcome has the next run be another one.
func TestRunThatWasKilledAndIsNotBegunAgainLosesNoOutcome(t *testing.T) {
	t.Parallel()
	lost := []string{"a1 backup done", "a1 check failed", "a1 retention done", "a1 retention failed", "b1 backup done", "b1 backup failed", "b1 retention done"}
	for name, test := range map[string]struct {
		change func(w *world, j *journal)
		run    func(*options)
		code   exit.Code
		want   []string
		ran    string
	}{
		"it was planned for another time": {
			func(_ *world, j *journal) { j.Planned = time.Now().Add(-24 * time.Hour).UTC() },
			plannedFor(time.Now()), exit.OK, lost, "a1\nb1\n",
		},
		"it was planned, and this one is not": {
			func(_ *world, j *journal) { j.Planned = time.Now().Add(-24 * time.Hour).UTC() },
			func(*options) {}, exit.OK, lost, "a1\nb1\n",
		},
		"it is too old": {
			func(_ *world, j *journal) { j.Started = time.Now().Add(-13 * time.Hour).UTC() },
			func(*options) {}, exit.OK, lost, "a1\nb1\n",
		},
		"this one is of one module": {
			func(*world, *journal) {}, func(o *options) { o.modules = []string{"b1"} }, exit.OK,
			[]string{"a1 check failed", "a1 retention failed", "b1 backup done", "b1 backup failed", "b1 retention done"}, "b1\n",
		},
		"the schedule is disabled": {
			func(w *world, _ *journal) { w.redis.Do("HSET", catalog.BackupKey("1"), "enabled", "") },
			func(*options) {}, exit.Disabled, []string{"a1 check failed", "a1 retention failed", "b1 backup failed"}, "",
		},
		"the schedule is paused": {
			func(w *world, _ *journal) { w.plan("paused", "2026-01-01T00:00:00Z") },
			func(*options) {}, exit.Disabled, []string{"a1 check skipped", "a1 retention skipped", "b1 backup skipped"}, "",
		},
		"a module has left the schedule": {
			func(w *world, _ *journal) { w.redis.Do("HSET", catalog.BackupKey("1"), "instances", "a1") },
			func(*options) {}, exit.Failed, []string{"a1 check done", "a1 retention done", "b1 backup failed"}, "",
		},
		"all modules have left it": {
			func(w *world, _ *journal) { w.redis.Do("HSET", catalog.BackupKey("1"), "instances", "") },
			func(*options) {}, exit.Failed, []string{"a1 check failed", "a1 retention failed", "b1 backup failed"}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTwo(t)
			w.killed(func(j *journal) {
				j.Modules = twoModules()
				j.Done = done{"a1": {history.Backup: history.Done}}
				j.Due = map[string][]history.Kind{"a1": {history.Check}}
				test.change(w, j)
			})
			w.want(test.code, test.run)
			w.wantOutcomes(test.want...)
			w.wantRan(test.ran)
		})
	}
}

func TestJournalThatCannotBeReadIsAFailureOfAllModules(t *testing.T) {
	t.Parallel()
	w := newTwo(t)
	w.write(filepath.Join(w.dir, "run-1.json"), `{"id": "2026`, 0o600)
	w.want(exit.OK)
	w.wantSaid("how far the last run has come cannot be read")
	w.wantOutcomes("a1 backup done", "a1 backup failed", "a1 retention done", "b1 backup done", "b1 backup failed", "b1 retention done")
	w.wantRan("a1\nb1\n")
}
