package run

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// metric is a gauge with one value.
type metric struct {
	name, help string
	value      float64
}

// metricsFile returns the path of the record's metrics: one file per module and schedule,
// and one for a module's restores. It returns "" if the names do not fit into a file name,
// or the run does not count. The name must not begin with "backup": NethServer 8 removes
// such files.
func (r *Record) metricsFile(dir string) string {
	if r.Partial || !host.ModuleIDPattern.MatchString(r.Module) {
		return ""
	}
	if r.Command != "module-backup" {
		return filepath.Join(dir, r.Command+"-"+r.Module+".prom")
	}
	if !host.PathSegment.MatchString(r.Schedule) {
		return ""
	}
	return filepath.Join(dir, r.Command+"-"+r.Schedule+"-"+r.Module+".prom")
}

// metrics formats the record for Prometheus. Values that a failed run cannot know are
// copied from the previous file.
func (r *Record) metrics(before []byte) string {
	if r.Command == "module-backup" {
		return r.backupMetrics(before)
	}
	return r.restoreMetrics(before)
}

func (r *Record) backupMetrics(before []byte) string {
	name := r.ScheduleName
	if name == "" {
		name = previousLabel(before, "name")
	}
	labels := label("id", r.Schedule) + "," + label("name", name) + "," + label("module_id", r.Module)
	saved := r.Snapshot != ""
	ms := []metric{
		{"node_backup_status", "Status of the backup (0 = failure, 1 = success)", truth(r.ExitStatus == exit.OK)},
		{"module_backup_last_run_timestamp_seconds", "When the module's last backup ended.", unixSeconds(r.Time)},
		{"module_backup_last_run_duration_seconds", "How long the module's last backup took.", r.Seconds},
		{"module_backup_exit_status", "The exit status of the module's last backup.", float64(r.ExitStatus)},
	}
	ms = lasting(ms, before, r.ExitStatus == exit.OK, metric{"module_backup_last_success_timestamp_seconds", "When the module was last backed up completely.", unixSeconds(r.Time)})
	ms = lasting(ms, before, saved, metric{"module_backup_last_snapshot_timestamp_seconds", "When the module's last snapshot was made.", unixSeconds(r.Time)})
	ms = lasting(ms, before, saved, metric{"module_backup_snapshot_files", "Files in the module's last snapshot.", float64(r.Files)})
	ms = lasting(ms, before, saved, metric{"module_backup_snapshot_size_bytes", "Bytes of the files in the module's last snapshot.", float64(r.Bytes)})
	ms = lasting(ms, before, saved, metric{"module_backup_snapshot_added_bytes", "Bytes that the module's last snapshot added to the repository.", float64(r.BytesAdded)})
	ms = lasting(ms, before, saved, metric{"module_backup_snapshot_unreadable_files", "Files that the module's last snapshot lacks, because they could not be read.", float64(len(r.Unreadable))})
	ms = lasting(ms, before, saved, metric{"module_backup_snapshot_missing", "What else the module's last backup was asked for and its snapshot lacks: include lines, and dumps.", float64(len(r.Missing))})
	return formatMetrics(ms, labels)
}

func (r *Record) restoreMetrics(before []byte) string {
	restored := r.ExitStatus == exit.OK
	ms := []metric{
		{"module_restore_status", "Whether the module's last restore was complete: 0 after a failure, 1 after a success.", truth(restored)},
		{"module_restore_last_run_timestamp_seconds", "When the module's last restore ended.", unixSeconds(r.Time)},
		{"module_restore_last_run_duration_seconds", "How long the module's last restore took.", r.Seconds},
		{"module_restore_exit_status", "The exit status of the module's last restore.", float64(r.ExitStatus)},
	}
	ms = lasting(ms, before, restored, metric{"module_restore_last_success_timestamp_seconds", "When the module was last restored completely.", unixSeconds(r.Time)})
	ms = lasting(ms, before, restored, metric{"module_restore_files", "Files and directories of the module's last complete restore.", float64(r.Files)})
	ms = lasting(ms, before, restored, metric{"module_restore_size_bytes", "Bytes of the files of the module's last complete restore.", float64(r.Bytes)})
	return formatMetrics(ms, label("module_id", r.Module))
}

// lasting adds m, with the value in the previous file if this run does not know it.
func lasting(ms []metric, before []byte, known bool, m metric) []metric {
	if !known {
		value, found := previousValue(before, m.name)
		if !found {
			return ms
		}
		m.value = value
	}
	return append(ms, m)
}

func formatMetrics(ms []metric, labels string) string {
	var text strings.Builder
	for _, m := range ms {
		fmt.Fprintf(&text, "# HELP %[1]s %[2]s\n# TYPE %[1]s gauge\n%[1]s{%[3]s} %[4]s\n",
			m.name, m.help, labels, strconv.FormatFloat(m.value, 'f', -1, 64))
	}
	return text.String()
}

// previousValue finds a metric in a file that formatMetrics wrote.
func previousValue(before []byte, name string) (value float64, found bool) {
	for line := range bytes.Lines(before) {
		if !bytes.HasPrefix(line, []byte(name+"{")) {
			continue
		}
		text := string(bytes.TrimSpace(line))
		value, err := strconv.ParseFloat(text[strings.LastIndexByte(text, ' ')+1:], 64)
		return value, err == nil
	}
	return 0, false
}

// previousLabel finds the value of a label in such a file, or "".
func previousLabel(before []byte, name string) string {
	found := regexp.MustCompile(`[{,]` + name + `="((?:[^"\\]|\\.)*)"`).FindSubmatch(before)
	if found == nil {
		return ""
	}
	return labelUnescaper.Replace(string(found[1]))
}

var (
	labelEscaper   = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	labelUnescaper = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n")
)

// label formats a label for Prometheus, which requires UTF-8.
func label(name, value string) string {
	return name + `="` + labelEscaper.Replace(strings.ToValidUTF8(value, "\ufffd")) + `"`
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func unixSeconds(t time.Time) float64 { return float64(t.Unix()) }
