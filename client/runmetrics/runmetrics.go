// Package runmetrics writes files for Prometheus about the runs of a schedule: their
// success, and when the next one is due.
package runmetrics

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// Files are the files of one schedule.
type Files struct {
	sys      *host.System
	dir      string // "" disables them
	schedule *schedule.Schedule
}

// exporterDir is where NethServer 8's node_exporter reads, below the node's state
// directory.
const exporterDir = "node_exporter"

// New returns the files in a directory; "" selects NS8_METRICS_DIR, or NethServer 8's
// directory, or none.
func New(sys *host.System, dir string, s *schedule.Schedule) *Files {
	if dir == "" {
		dir, _ = sys.Env.Lookup("NS8_METRICS_DIR")
	}
	if dir == "" && sys.Env.OnNS8() {
		for _, place := range []string{filepath.Join(sys.Env.Get("AGENT_STATE_DIR"), exporterDir), exporterDir} {
			if info, err := os.Stat(place); err == nil && info.IsDir() {
				dir = place
				break
			}
		}
	}
	return &Files{sys: sys, dir: dir, schedule: s}
}

var labelEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// Write writes NethServer 8's file: 0 after a failure, 1 after a complete run, otherwise
// unchanged.
func (m *Files) Write(complete bool) {
	if m.dir == "" {
		return
	}
	value := 0
	if complete {
		value = 1
	}
	label := func(text string) string { return labelEscaper.Replace(strings.ToValidUTF8(text, "\ufffd")) }
	text := fmt.Sprintf( //nolint:gocritic // Prometheus escapes otherwise than Go
		"# HELP node_backup_status Status of the backup (0 = failure, 1 = success)\n# TYPE node_backup_status gauge\nnode_backup_status{id=\"%s\",name=\"%s\"} %d\n",
		label(m.schedule.ID), label(m.schedule.Name), value)
	m.warn(atomicfile.Write(filepath.Join(m.dir, "backup"+m.schedule.ID+".prom"), []byte(text), 0o644))
}

// Plan writes when the schedule runs next, so that an overdue run shows. A disabled
// schedule has no such file.
func (m *Files) Plan(now time.Time) {
	if m.dir == "" {
		return
	}
	file := m.planFile(m.schedule.ID)
	next := m.schedule.Next(now)
	if next.IsZero() || !m.schedule.Enabled {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			m.warn(err)
		}
		return
	}
	m.warn(run.WriteGauges(file, []string{"id", m.schedule.ID, "name", m.schedule.Name},
		run.Gauge{Name: "schedule_last_run_timestamp_seconds", Help: "When a run of the schedule last began or ended on this node, or was skipped.", Value: float64(now.Unix())},
		run.Gauge{Name: "schedule_next_run_timestamp_seconds", Help: "When the schedule is planned to run next on this node.", Value: float64(next.Unix())}))
}

// planPrefix begins the names of the files with the next run. They must not begin with
// "backup": NethServer 8 removes such files.
const planPrefix = "run-backup-"

func (m *Files) planFile(id string) string { return filepath.Join(m.dir, planPrefix+id+".prom") }

// Others returns the other schedules with such a file.
func (m *Files) Others() []string {
	if m.dir == "" {
		return nil
	}
	files, _ := filepath.Glob(m.planFile("*")) // no files in a directory with a malformed name
	var ids []string
	for _, file := range files {
		id := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), planPrefix), ".prom")
		if id != m.schedule.ID {
			ids = append(ids, id)
		}
	}
	return ids
}

// Drop deletes the file of a deleted schedule, which is never overdue.
func (m *Files) Drop(id string) {
	if err := os.Remove(m.planFile(id)); err != nil && !os.IsNotExist(err) {
		m.warn(err)
	}
}

// Dir returns the directory; "" if disabled.
func (m *Files) Dir() string { return m.dir }

func (m *Files) warn(err error) {
	if err != nil {
		m.sys.Warnf("the metrics are not written: %v", err)
	}
}
