package run

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
)

// oddName has all that needs care in a label.
const oddName = "the \"nightly\" one\\\nof \xff, id=\"7\""

func sampleRecords() map[string]*Record {
	end := time.Unix(1_800_000_000, 0)
	return map[string]*Record{
		"a backup": {
			Command: "module-backup", Module: "app1", Schedule: "1", ScheduleName: oddName, Time: end,
			Snapshot: "feed", Files: 3, Bytes: 1 << 40, BytesAdded: 7, Seconds: 1.5,
		},
		"a backup that failed": {Command: "module-backup", Module: "app1", Schedule: "1", ScheduleName: oddName, Time: end, ExitStatus: exit.Locked},
		"a restore":            {Command: "restore-module", Module: "app1", Time: end, Snapshot: "feed", Files: 3, Bytes: 5},
		"a failed restore":     {Command: "restore-module", Module: "app1", Time: end, ExitStatus: exit.Full},
	}
}

// TestMetricsArePrometheus has the reader of Prometheus read them, and its linter
// judge the names.
func TestMetricsArePrometheus(t *testing.T) {
	for name, record := range sampleRecords() {
		t.Run(name, func(t *testing.T) {
			text := record.metrics(nil)
			problems, err := promlint.New(strings.NewReader(text)).Lint()
			if err != nil || len(problems) > 0 {
				t.Errorf("%v, %v in\n%s", problems, err, text)
			}
		})
	}
}

// TestMetricsOfAFailureKeepWhatWas has a failed run, which has not even got as far
// as the schedule's name, after one that was well.
func TestMetricsOfAFailureKeepWhatWas(t *testing.T) {
	records := sampleRecords()
	well := records["a backup"].metrics(nil)
	failed := *records["a backup that failed"]
	failed.ScheduleName = ""
	failed.Time = failed.Time.Add(time.Hour)
	text := failed.metrics([]byte(well))
	labels := `{id="1",name="the \"nightly\" one\\\nof ` + "\ufffd" + `, id=\"7\"",module_id="app1"} `
	for name, value := range map[string]string{
		"node_backup_status": "0", "module_backup_exit_status": "11",
		"module_backup_last_run_timestamp_seconds":      "1800003600",
		"module_backup_last_success_timestamp_seconds":  "1800000000",
		"module_backup_last_snapshot_timestamp_seconds": "1800000000",
		"module_backup_snapshot_files":                  "3",
		"module_backup_snapshot_size_bytes":             "1099511627776",
	} {
		if !strings.Contains(text, "\n"+name+labels+value+"\n") {
			t.Errorf("there is no %s%s%s in\n%s", name, labels, value, text)
		}
	}
	if again := failed.metrics([]byte(text)); again != text {
		t.Errorf("the next failure makes of\n%sthis:\n%s", text, again)
	}
	if text := failed.metrics([]byte("no metrics at all {")); strings.Contains(text, "last_success") {
		t.Errorf("a success is invented:\n%s", text)
	}
}

func TestMetricsFile(t *testing.T) {
	tests := map[string]struct {
		record Record
		want   string
	}{
		"a backup":                     {Record{Command: "module-backup", Module: "app1", Schedule: "12"}, "/d/module-backup-12-app1.prom"},
		"a restore":                    {Record{Command: "restore-module", Module: "app1"}, "/d/restore-module-app1.prom"},
		"a restore of single files":    {Record{Command: "restore-module", Module: "app1", Partial: true}, ""},
		"a schedule that leads astray": {Record{Command: "module-backup", Module: "app1", Schedule: "../1"}, ""},
		"a module that leads astray":   {Record{Command: "module-backup", Module: "../app1", Schedule: "1"}, ""},
		"no module":                    {Record{Command: "restore-module"}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.record.metricsFile("/d"); got != test.want {
				t.Errorf("the file is %q, want %q", got, test.want)
			}
		})
	}
}
