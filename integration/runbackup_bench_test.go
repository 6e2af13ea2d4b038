package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// timedRestic is restic, which adds to a file the seconds of CPU that it took.
const timedRestic = `#!/bin/sh
RESTIC "$@"
status=$?
times > DIR/times.$$ # in a pipe it would be of another shell
tail -n 1 DIR/times.$$ >> DIR/times
exit $status
`

// BenchmarkRunBackupOfManyModules backs up so many small modules on one node, 100 unless
// BENCH_MODULES says otherwise, and reports for each what restic's processes took of the
// CPU, and what all others did: run-backup, module-backup, hooks. The gateway, within this
// process, is not counted. Run it with -benchtime 1x.
func BenchmarkRunBackupOfManyModules(b *testing.B) {
	modules := 100
	if n, err := strconv.Atoi(os.Getenv("BENCH_MODULES")); err == nil {
		modules = n
	}
	for range b.N {
		b.StopTimer()
		r := newRunner(b)
		r.manyModules(b, modules)
		b.StartTimer()
		cmd := exec.CommandContext(b.Context(), program(b, "GATEWAYCTL"), "run-backup", "--backup", "1", "--state-dir", filepath.Join(r.dir, "runs"))
		cmd.Env = r.command(b).Env
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		b.StopTimer()
		total := (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
		restic, calls := r.resticSeconds(b)
		b.ReportMetric((total-restic)/float64(modules), "own-s/module")
		b.ReportMetric(restic/float64(modules), "restic-s/module")
		b.ReportMetric(float64(calls)/float64(modules), "restics/module")
	}
}

// manyModules replaces mail1 in the schedule by modules with a small file each.
func (r *runner) manyModules(b *testing.B, n int) {
	b.Helper()
	script := strings.NewReplacer("DIR", r.dir, "RESTIC", program(b, "RESTIC_0_18")).Replace(timedRestic)
	writeFile(b, filepath.Join(r.bin, "restic"), []byte(script))
	var modules []redistest.Module
	var ids []string
	for i := range n {
		m := redistest.Module{ID: fmt.Sprint("app", i), UUID: fmt.Sprintf("%08d-0000-4000-8000-000000000000", i)}
		modules, ids = append(modules, m), append(ids, m.ID)
		r.addModule(b, m)
	}
	r.AddModules(modules...)
	r.AddSchedule(redistest.Schedule{ID: "1", Repository: localDest, Name: "nightly", Instances: ids})
	// As in most nights nothing is pruned and checked.
	r.Do("HSET", catalog.PlanKey("1"), "prune", "never", "check", "never")
	if err := r.g.Reload(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// resticSeconds is how much CPU all runs of restic took, and how many there were.
func (r *runner) resticSeconds(b *testing.B) (seconds float64, calls int) {
	b.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "times"))
	if err != nil {
		b.Fatal(err)
	}
	for word := range strings.FieldsSeq(string(text)) { // 0m0.12s of the user, then of the system
		d, err := time.ParseDuration(word)
		if err != nil {
			b.Fatal(err)
		}
		seconds += d.Seconds()
		calls++
	}
	return seconds, calls / 2
}
