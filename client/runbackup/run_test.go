package runbackup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

func TestEachTaskIsAnOutcomeOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good1", "broken1", "partial1", "bad1")
	w.plan("check", "daily", "prune", "daily")
	w.script("good1", "exit 0")
	w.script("broken1", "exit 0")
	w.script("partial1", "exit 4")
	w.script("bad1", "echo gatewayctl: the disk is on fire; exit 1")
	w.want(exit.Failed)
	w.wantSaid("schedule 1 failed for bad1, broken1")
	w.wantOutcomes(
		"bad1 backup failed", "bad1 check done", "bad1 prune done", "bad1 retention skipped",
		"broken1 backup done", "broken1 check failed", "broken1 prune failed", "broken1 retention done",
		"good1 backup done", "good1 check done", "good1 prune done", "good1 retention done",
		"partial1 backup partial", "partial1 check done", "partial1 prune done", "partial1 retention done")
	w.wantMetric("0")
	for _, r := range w.runs() {
		if r.Module == "bad1" && r.Kind == history.Backup && (r.Error != "the disk is on fire" || r.ExitStatus != 1) {
			t.Errorf("the history says %+v", r)
		}
	}

	w.script("broken1", "exit 0")
	w.plan("check", "never", "prune", "never")
	w.script("bad1", "exit 0")
	w.want(exit.Partial)
	w.wantMetric("0")
	w.script("partial1", "exit 0")
	w.want(exit.OK)
	w.wantMetric("1")
}

func TestAsManyModulesAtOnceAsTheScheduleSaysAndNoMore(t *testing.T) {
	t.Parallel()
	modules := []string{"a1", "b1", "c1", "d1", "e1"}
	w := newWorld(t, modules...)
	w.plan("parallel", "2")
	w.write(filepath.Join(w.dir, "counts"), "0\n", 0o600)
	w.write(filepath.Join(w.dir, "running", "none"), "", 0o600)
	for _, m := range modules { // the first ones wait for each other
		w.script(m, `touch $DIR/running/$$; ls $DIR/running | wc -l >> $DIR/counts
while [ "$(sort -n $DIR/counts | tail -n 1)" -lt 3 ]; do sleep 0.01; done
rm $DIR/running/$$`)
	}
	w.want(exit.OK)
	for count := range strings.FieldsSeq(w.read("counts")) {
		if n, _ := strconv.Atoi(count); n > 3 { // with the file none
			t.Errorf("%d ran at once", n-1)
		}
	}
	if got := len(w.outcomes()); got != 2*len(modules) {
		t.Errorf("%d outcomes", got)
	}
}

func TestNothingBeginsPastTheDeadline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a1", "b1")
	w.plan("deadline", "1h", "prune", "daily")
	w.script("a1", "touch $DIR/ran-a1")
	w.script("b1", "touch $DIR/ran-b1")
	// A run that was killed two hours after it had begun goes on too late.
	w.killed(func(j *journal) {
		j.Started = time.Now().Add(-2 * time.Hour).UTC()
		j.Modules = []module{{ID: "a1", UUID: uuid(0), App: "a"}, {ID: "b1", UUID: uuid(1), App: "b"}}
		j.Done = done{"a1": {history.Backup: history.Done}}
	})
	w.want(exit.Failed)
	w.wantSaid("3 were skipped")
	w.wantOutcomes("a1 prune skipped", "a1 retention skipped", "b1 backup skipped")
	if w.read("ran-a1")+w.read("ran-b1") != "" {
		t.Error("a module ran")
	}
	w.wantMetric("0")
}

func TestNothingBeginsInQuietHours(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	quiet := now.Add(-time.Hour).Format("15:04") + "-" + now.Add(2*time.Hour).Format("15:04")
	w := newWorld(t, "a1")
	w.plan("quiet", quiet, "timezone", "UTC")
	w.script("a1", "exit 0")
	w.want(exit.Disabled)
	w.wantSaid("it is in the quiet hours " + quiet)
	w.wantOutcomes("a1 backup skipped")

	r := &execution{facts: facts{}, journal: &journal{Started: now}}
	r.facts.Schedule.Quiet.To = 24*time.Hour - 1
	if why := r.tooLate(now); !strings.Contains(why, "quiet hours") {
		t.Errorf("within a run: %q", why)
	}
}

func TestScheduleThatIsPausedOrDisabledRunsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a1")
	w.script("a1", "exit 0")
	w.plan("paused", "2026-01-01T00:00:00Z")
	w.want(exit.Disabled)
	w.wantSaid("the schedule is paused since 2026-01-01")
	w.wantOutcomes("a1 backup skipped")
	w.redis.Do("HDEL", catalog.PlanKey("1"), "paused")

	w.redis.Do("HSET", catalog.BackupKey("1"), "enabled", "")
	w.want(exit.Disabled)
	w.wantSaid("schedule 1 is disabled: nothing was run")
	w.wantOutcomes("a1 backup skipped") // whoever planned it records that
}

func TestModuleThatIsGoneIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a1", "gone1")
	w.script("a1", "exit 0")
	w.redis.RemoveModule("gone1")
	w.want(exit.Failed)
	w.wantSaid("gone1: backup failed: module gone1 does not exist any longer: take it out of the schedule")
	w.wantOutcomes("a1 backup done", "a1 retention done", "gone1 backup failed")
}

func TestScheduleOfUnknownModulesAndDestinations(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fields []any
		code   exit.Code
		says   string
		want   []string
	}{
		"a module that never was":          {[]any{"instances", "never7"}, exit.Failed, "module never7 does not exist any longer", []string{"never7 backup failed"}},
		"a module that cannot be":          {[]any{"instances", "../etc"}, exit.Failed, "failed for ../etc", []string{"../etc backup failed"}},
		"no destination":                   {[]any{"repository", ""}, exit.Usage, "schedule 1 has no destination", []string{"a1 backup failed"}},
		"a destination that is not there":  {[]any{"repository", "gone"}, exit.Failed, "failed for a1", []string{"a1 backup done", "a1 retention failed"}},
		"a retention that is no number":    {[]any{"retention", "many"}, exit.Failed, "nothing is deleted", []string{"a1 backup done", "a1 retention failed"}},
		"a calendar that means nothing":    {[]any{"schedule", "dayly"}, exit.Failed, "dayly", []string{"a1 backup done", "a1 retention failed"}},
		"modules that are named twice":     {[]any{"instances", "a1 a1"}, exit.OK, "complete", []string{"a1 backup done", "a1 retention done"}},
		"no module of this node":           {[]any{"instances", ""}, exit.OK, "has no modules on this node", nil},
		"a module whose backup is no file": {[]any{"instances", "mute1"}, exit.Failed, "does not exist", []string{"mute1 backup failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "a1")
			w.script("a1", "exit 0")
			w.redis.Do(append([]any{"HSET", catalog.BackupKey("1")}, test.fields...)...)
			w.want(test.code)
			w.wantSaid(test.says)
			w.wantOutcomes(test.want...)
		})
	}
	w := newWorld(t, "a1")
	w.want(exit.NotFound, func(o *options) { o.backup = "7" })
	w.want(exit.Usage, func(o *options) { o.modules = []string{"b1"} })
}

func TestModuleThatIsBusyIsTriedAgainAfterTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "busy1", "a1")
	w.script("busy1", `echo x >> $DIR/tries; test $(wc -l < $DIR/tries) -gt 2 && test -e $DIR/ran-a1 || exit 3`)
	w.script("a1", "touch $DIR/ran-a1")
	w.want(exit.OK)
	w.wantSaid("busy1: to be tried again")
	w.wantOutcomes("a1 backup done", "a1 retention done", "busy1 backup done", "busy1 retention done")
}

func TestModuleThatStaysBusyFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "busy1")
	w.script("busy1", "echo module-backup: another backup of this module is running; exit 3")
	w.want(exit.Failed, func(o *options) { o.retryEvery, o.retryFor = time.Millisecond, 20*time.Millisecond })
	w.wantSaid("busy1: backup failed: gave up after 20ms: another backup of this module is running")
	w.wantOutcomes("busy1 backup failed", "busy1 retention skipped")
	w.wantMetric("0")
}

// TestTwoSchedulesWithARepositoryInCommonWait has another schedule hold the repository
// while this one wants to let old snapshots go.
func TestTwoSchedulesWithARepositoryInCommonWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a1", "b1")
	w.script("a1", "exit 0")
	w.script("b1", "touch $DIR/ran-b1")
	w.hold("node/1")
	ended := make(chan int)
	go func() { ended <- w.run() }()
	testenv.Until(t, patience, "the other module to have its turn", func() bool {
		_, err := os.Stat(filepath.Join(w.dir, "ran-b1"))
		return err == nil && strings.Contains(w.said.String(), "b1: to be tried again: repository")
	})
	w.hold("")
	if code := <-ended; code != 0 {
		t.Errorf("exit status %d: %s", code, w.said.String())
	}
	w.wantOutcomes("a1 backup done", "a1 retention done", "b1 backup done", "b1 retention done")

	w.hold("node/1")
	w.want(exit.Failed, func(o *options) { o.retryEvery, o.retryFor = time.Millisecond, 0 })
	w.wantSaid("a1: retention failed: repository")
}

func TestTwoRunsOfAScheduleExcludeEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a1")
	w.script("a1", "touch $DIR/began; while ! test -e $DIR/end; do sleep 0.01; done")
	ended := make(chan int)
	go func() { ended <- w.run() }()
	testenv.Until(t, patience, "the first run to begin", func() bool {
		_, err := os.Stat(filepath.Join(w.dir, "began"))
		return err == nil
	})
	second := w.try(t.Context())
	w.write(filepath.Join(w.dir, "end"), "", 0o600)
	if code := exit.CodeOf(t.Context(), second); second == nil || code != int(exit.Busy) {
		t.Errorf("the second: %v", second)
	}
	if code := <-ended; code != 0 {
		t.Errorf("the first: exit status %d: %s", code, w.said.String())
	}
	w.wantOutcomes("a1 backup done", "a1 retention done")
}

// TestFullDestinationIsPrunedAtOnce has a backup fail that finds no room: what makes room
// does not wait for the prune's own day, and nothing is green.
func TestFullDestinationIsPrunedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a1", "b1")
	w.script("a1", fmt.Sprintf("exit %d", exit.Full))
	w.script("b1", "exit 0")
	w.want(exit.Failed)
	w.wantOutcomes("a1 backup failed", "a1 prune done", "a1 retention skipped", "b1 backup done", "b1 retention done")
	w.wantSaid("a1: restic prune --max-unused=5%")
	w.wantMetric("0")
}

// TestRedisIsAwayAtTheMinuteOfARun stops it before the run, and starts it again in the run.
func TestRedisIsAwayAtTheMinuteOfARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a1", "b1")
	w.script("a1", "exit 0")
	w.script("b1", "exit 1")
	w.want(exit.Failed) // now the node knows the schedule
	before := w.outcomes()
	w.redis.Stop()

	w.script("b1", `echo '{"command":"module-backup","snapshot_id":"0123456789abcdef","files":3,"bytes":2048}'`)
	ended := make(chan int)
	planned := time.Now().Truncate(time.Second)
	go func() { ended <- w.run(plannedFor(planned)) }()
	testenv.Until(t, patience, "both modules to be backed up", func() bool {
		said := w.said.String()
		return strings.Contains(said, "a1: to be tried again: redis at") && strings.Contains(said, "b1: to be tried again: redis at")
	})
	w.wantSaid("this run goes by what Redis said last time")
	w.wantSaid("outcomes are recorded when Redis is back")
	w.redis.Restart()
	if code := <-ended; code != 0 {
		t.Errorf("exit status %d: %s", code, w.said.String())
	}
	want := slices.Concat(before, []string{"a1 backup done", "a1 retention done", "b1 backup done", "b1 retention done"})
	slices.Sort(want)
	w.wantOutcomes(want...)
	status := w.redis.Do("HGET", catalog.BackupStatusKey("1", "1"), "b1")
	if text, _ := status.(string); !strings.Contains(text, `"errors":0`) {
		t.Errorf("the status is %v", status)
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, "unrecorded-*")); len(left) > 0 || w.read("status-1.json") != "" {
		t.Errorf("there waits %q, %q", left, w.read("status-1.json"))
	}
	w.wantMetric("1")
}

// TestRedisStaysAway has outcomes wait for the next run, and nothing is green.
func TestRedisStaysAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a1")
	w.want(exit.NotFound, func(o *options) { o.backup = "2" })
	w.script("a1", "exit 0")
	w.want(exit.OK)
	w.redis.Stop()
	w.want(exit.Redis, func(o *options) { o.backup = "2" }) // of which nothing is known
	w.want(exit.Failed, func(o *options) { o.retryFor = 0 })
	w.wantSaid("a1: retention failed: redis at")
	w.wantMetric("0")
	w.redis.Restart()
	w.want(exit.OK)
	w.wantOutcomes("a1 backup done", "a1 backup done", "a1 backup done", "a1 retention done", "a1 retention done", "a1 retention failed")
	w.wantMetric("1")
}

// TestRedisFailsOver is a server that answers reads and refuses writes until it is the
// master again.
func TestRedisFailsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a1")
	w.script("a1", "exit 0")
	w.redis.Do("REPLICAOF", "127.0.0.1", "1")
	w.want(exit.OK)
	w.wantSaid("outcomes are recorded when Redis is back")
	w.wantSaid("its status is not in redis yet")
	w.wantOutcomes()
	w.redis.Do("REPLICAOF", "NO", "ONE")
	w.want(exit.OK)
	w.wantOutcomes("a1 backup done", "a1 backup done", "a1 retention done", "a1 retention done")
	if text, _ := w.redis.Do("HGET", catalog.BackupStatusKey("1", "1"), "a1").(string); text == "" {
		t.Error("there is no status")
	}
}

// TestRunThatIsInterruptedSaysSoAndGoesOn is SIGTERM to a run, as a shutdown sends it.
func TestRunThatIsInterruptedSaysSoAndGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a1", "b1")
	w.script("a1", "exit 0")
	w.script("b1", `trap 'exit 143' TERM; touch $DIR/began; while ! test -e $DIR/again; do sleep 0.01; done`)
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error)
	go func() { ended <- w.try(ctx) }()
	testenv.Until(t, patience, "the second module to begin", func() bool {
		_, err := os.Stat(filepath.Join(w.dir, "began"))
		return err == nil
	})
	cancel(exit.SignalError{Signal: 15})
	if err := <-ended; exit.CodeOf(ctx, err) != 128+15 {
		t.Errorf("it ended with %v", err)
	}
	w.wantOutcomes("a1 backup done", "a1 retention done")
	w.write(filepath.Join(w.dir, "again"), "", 0o600)
	w.want(exit.OK)
	w.wantSaid("was interrupted: it goes on where it was")
	w.wantOutcomes("a1 backup done", "a1 retention done", "b1 backup done", "b1 retention done")
}

func TestPartsOfTheDataAreReadInTurn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ last, lastParts, parts, want int }{
		{0, 0, 4, 1}, {1, 4, 4, 2}, {4, 4, 4, 1}, {2, 4, 8, 5}, {8, 8, 4, 1}, {3, 5, 1, 1},
	} {
		if got := nextPart(test.last, test.lastParts, test.parts); got != test.want {
			t.Errorf("after part %d of %d comes part %d of %d, want %d", test.last, test.lastParts, got, test.parts, test.want)
		}
	}
}

func TestTurnsComeInOrder(t *testing.T) {
	t.Parallel()
	now := time.Now()
	waiting := []turn{{again: now.Add(time.Minute)}, {again: now.Add(-time.Second)}, {}, {}}
	if at := nextTurn(waiting, now); at != 2 {
		t.Errorf("first comes %d", at)
	}
	waiting = slices.Delete(waiting, 2, 4)
	if at := nextTurn(waiting, now); at != 1 {
		t.Errorf("then comes %d", at)
	}
	waiting = waiting[:1]
	if at, left := nextTurn(waiting, now), untilTurn(waiting, now); at != -1 || left != time.Minute {
		t.Errorf("at last comes %d, in %s", at, left)
	}
}
