package drill

import (
	"path/filepath"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// WriteMetrics writes the result of a drill as a file for Prometheus.
func (r *Report) WriteMetrics(dir, schedule, name string) error {
	if !host.ModuleIDPattern.MatchString(r.Module) || !host.PathSegment.MatchString(schedule) {
		return nil
	}
	proven := r.Outcome == Proven
	status := 0.0
	if proven {
		status = 1
	}
	ended := float64(r.Ended.Unix())
	return run.WriteGauges(filepath.Join(dir, "module-drill-"+schedule+"-"+r.Module+".prom"), []string{"id", schedule, "name", name, "module_id", r.Module},
		run.Gauge{Name: "module_drill_status", Help: "Whether the module's last drill proved its backup restorable: 0 after a failure, 1 after a success.", Value: status},
		run.Gauge{Name: "module_drill_last_run_timestamp_seconds", Help: "When the module's last drill ended.", Value: ended},
		run.Gauge{Name: "module_drill_last_success_timestamp_seconds", Help: "When the module's backup was last proven restorable.", Value: ended, Unknown: !proven},
		run.Gauge{Name: "module_drill_restore_seconds", Help: "How long the restore of the module's last successful drill took.", Value: r.RestoreSeconds, Unknown: !proven})
}
