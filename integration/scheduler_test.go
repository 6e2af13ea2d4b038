package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// scheduler starts one, which ends with the test, and waits until it has looked at schedules.
func (r *runner) scheduler(t *testing.T, dir string) (pid int, said *testenv.Buffer) {
	t.Helper()
	cmd := r.command(t, "scheduler", "--state-dir", filepath.Join(r.dir, dir))
	said = new(testenv.Buffer)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("the scheduler ended with %d:\n%s", code, said.String())
		}
	})
	waitFor(t, "the scheduler to know its schedules", func() bool {
		_, err := os.Stat(filepath.Join(r.dir, dir, "scheduler.json"))
		return err == nil
	})
	return cmd.Process.Pid, said
}

// TestSchedulerIdlesInTwentyMiB is one that waits for midnight.
func TestSchedulerIdlesInTwentyMiB(t *testing.T) {
	t.Parallel()
	const most = 20 << 10 // KiB
	r := newRunner(t)
	for i := range 20 {
		r.AddSchedule(redistest.Schedule{ID: strconv.Itoa(i + 2), Repository: localDest, Name: fmt.Sprint("s", i), Instances: []string{"mail1"}})
	}
	pid, said := r.scheduler(t, "runs")
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	t.Logf("%d KiB", kib)
	if err != nil || kib > most {
		t.Errorf("it needs %d KiB, %v:\n%s", kib, err, said.String())
	}
}

// TestTwoSchedulersRunATimeOnce has two of a node, each with a directory of its own, and a
// schedule that is wrong beside one that is not.
func TestTwoSchedulersRunATimeOnce(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	r.Do("HSET", catalog.BackupKey("1"), "schedule", "*:*:0/2") // every other second
	r.Do("HSET", catalog.PlanKey("1"), "prune", "never", "check", "never", "timezone", "UTC")
	writeFile(t, filepath.Join(r.dir, "modules.d", "mail1"), []byte("COMMAND=true\n"))
	r.AddSchedule(redistest.Schedule{ID: "2", Repository: localDest, Name: "wrong", Schedule: "dayly", Instances: []string{"mail1"}})
	_, first := r.scheduler(t, "one")
	_, second := r.scheduler(t, "two")
	rdb := r.Client("node/1", redistest.Password("node/1"))
	var runs []history.Run
	waitFor(t, "three runs", func() bool {
		var err error
		if runs, err = history.Read(t.Context(), rdb, history.Query{Kind: history.Backup}); err != nil {
			t.Fatal(err)
		}
		done := 0
		for _, run := range runs {
			if run.Outcome == history.Done {
				done++
			}
		}
		return done >= 3
	})
	seen := map[time.Time]string{}
	for _, run := range runs {
		if other, twice := seen[run.Planned]; twice {
			t.Errorf("%s is both %s and %s", run.Planned, other, run.ID)
		}
		if seen[run.Planned] = run.ID; run.Schedule != "1" || run.Planned.Second()%2 != 0 {
			t.Errorf("there ran %+v", run)
		}
	}
	for _, said := range []*testenv.Buffer{first, second} {
		if strings.Count(said.String(), "this schedule is wrong") != 1 || !strings.Contains(said.String(), "dayly") {
			t.Errorf("it said\n%s", said.String())
		}
	}
}
