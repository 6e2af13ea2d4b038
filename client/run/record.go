package run

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// Record is the result of a run for machines: the line that --log-json writes, with the
// keys of the gateway's log, and the source of the metrics.
type Record struct {
	Time    time.Time `json:"time"`
	Level   string    `json:"level"`
	Message string    `json:"msg"`
	Command string    `json:"command"`

	Module       string `json:"module_id,omitempty"`
	ModuleUUID   string `json:"module_uuid,omitempty"`
	Schedule     string `json:"schedule,omitempty"`
	ScheduleName string `json:"schedule_name,omitempty"`
	Repository   string `json:"repository,omitempty"`

	Snapshot   string   `json:"snapshot_id,omitempty"`
	Files      uint64   `json:"files"`
	Bytes      uint64   `json:"bytes"` // read, or restored
	BytesAdded uint64   `json:"bytes_added,omitempty"`
	Unreadable []string `json:"unreadable,omitempty"`
	Missing    []string `json:"missing,omitempty"` // what else was requested and not saved

	Seconds    float64   `json:"seconds"`
	ExitStatus exit.Code `json:"exit_status"`
	Error      string    `json:"error,omitempty"`

	started time.Time
	Partial bool `json:"-"` // only some files: no measure of the module's state
	// Known is the schedule's ID, once the schedule is known to list the module.
	Known string `json:"-"`
}

// NewRecord begins the record of a run of command.
func NewRecord(sys *host.System, command string) *Record {
	r := &Record{Command: command, started: time.Now()}
	// Without them the run fails and reports that.
	r.Module, _ = sys.Env.ModuleID()
	r.ModuleUUID, _ = sys.Env.ModuleUUID()
	return r
}

// Started returns when the run began.
func (r *Record) Started() time.Time { return r.started }

// end completes the record.
func (r *Record) end(ctx context.Context, err error) {
	r.Time = time.Now()
	r.Seconds = r.Time.Sub(r.started).Seconds()
	r.Level, r.Message = "INFO", r.Command+" succeeded"
	if err == nil {
		return
	}
	r.ExitStatus, r.Error = exit.Code(exit.CodeOf(ctx, err)), err.Error()
	r.Level, r.Message = "ERROR", r.Command+" failed"
	switch r.ExitStatus {
	case exit.Partial:
		r.Level, r.Message = "WARN", r.Command+" could not read some files"
	case exit.Incomplete:
		r.Level, r.Message = "WARN", r.Command+" saved less than was asked for"
	}
}

// RecordOptions say where the record of a run goes.
type RecordOptions struct {
	metricsDir string
	logJSON    bool
	flags      *pflag.FlagSet
}

// AddFlags adds --metrics-dir and --log-json to cmd.
func (o *RecordOptions) AddFlags(cmd *cobra.Command) {
	o.flags = cmd.Flags()
	o.flags.StringVar(&o.metricsDir, "metrics-dir", "",
		"write a file of Prometheus metrics into `DIR`, which node_exporter's textfile collector reads; NS8_METRICS_DIR sets the default")
	o.flags.BoolVar(&o.logJSON, "log-json", false,
		"at the end write what happened to stderr, as one line of JSON; NS8_LOG_JSON=1 sets the default")
}

// complete fills in options from the environment, which includes --env-file by now.
func (o *RecordOptions) complete(sys *host.System) {
	if !o.flags.Changed("metrics-dir") {
		o.metricsDir, _ = sys.Env.Lookup("NS8_METRICS_DIR")
	}
	if !o.flags.Changed("log-json") {
		line, _ := sys.Env.Lookup("NS8_LOG_JSON")
		o.logJSON = line == "1"
	}
}

// Finish completes the record and writes it. A failure here does not fail the run.
func (o *RecordOptions) Finish(ctx context.Context, sys *host.System, r *Record, err error) {
	r.end(ctx, err)
	o.complete(sys)
	if o.logJSON {
		_ = json.NewEncoder(sys.Stderr).Encode(r)
	}
	if o.metricsDir == "" || !r.counts() {
		return
	}
	if err := r.writeMetrics(o.metricsDir); err != nil {
		sys.Warnf("the metrics are not written: %v", err)
	}
}

// counts reports whether the run says something about the module. A usage error does not,
// nor does a run that found another one in progress.
func (r *Record) counts() bool {
	switch r.ExitStatus {
	case exit.Busy:
		return false
	case exit.Usage, exit.Invalid:
		return r.Repository != ""
	default:
		return true
	}
}

// writeMetrics replaces the file of metrics atomically.
func (r *Record) writeMetrics(dir string) error {
	name := r.metricsFile(dir)
	if name == "" {
		return nil
	}
	before, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// The collector runs as another user, and reads only files that end in .prom.
	return atomicfile.Write(name, []byte(r.metrics(before)), 0o644)
}
