package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/runner"
)

// endPatience is how long a drill may take to end when it is told to: restic drops its
// lock, and the restored files are removed.
const endPatience = 2*restic.Grace + time.Minute

// NewCommand returns the command drill, for a node.
func NewCommand(sys *host.System) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "drill [flags] [MODULE]",
		Short: "Prove that the backup of a module can be restored",
		Long: `Prove that the backup of a module can be restored: "module-drill" is run as the module,
in the way in which its backups are run on this node, and what comes of it is recorded.
Without a MODULE it is the one of this node's schedules whose last drill is the longest
ago: run every day, it comes to each in turn.

Where nothing says how a module is run here, and for APP/UUID, the path of a repository
whose module is not here, the node itself restores it; then nothing is compared.

Status 20 says that the backup is not restorable: it does not open, is damaged, holds
nothing, or is not what the source is. Status 21 says that it could not be tried.`,
		Example: `  gatewayctl drill
  gatewayctl drill myapp1
  gatewayctl drill --destination DESTINATION --json dokuwiki/UUID`,
		Annotations: status(),
		Args:        cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.runOnNode(cmd.Context(), sys, strings.Join(args, ""))
		},
	}
	o.addFlags(sys, cmd)
	cmd.Flags().StringVar(&o.metricsDir, "metrics-dir", "", "write a file of Prometheus metrics into `DIR` (default: NS8_METRICS_DIR)")
	cmd.ValidArgsFunction = names.Complete(sys, names.ModuleEntries, 1)
	return cmd
}

// runOnNode drills a module of this node, or the repository that a word names.
func (o *options) runOnNode(ctx context.Context, sys *host.System, word string) error {
	if err := o.check(); err != nil {
		return err
	}
	o.dir = baseOf(sys.Env, o.dir)
	report := &Report{Started: time.Now()}
	err := o.tryOnNode(ctx, sys, word, report)
	if report.Ended.IsZero() {
		err = judge(ctx, err)
		report.end(ctx, err)
	}
	o.remember(ctx, sys, report)
	return errors.Join(err, o.tell(sys, report))
}

// tryOnNode lets the module drill its own backup if it can be run here.
func (o *options) tryOnNode(ctx context.Context, sys *host.System, word string, report *Report) error {
	if word == "" {
		var err error
		if word, err = o.next(ctx, sys); err != nil {
			return err
		}
	}
	if strings.Contains(word, "/") {
		return o.try(ctx, sys, word, report)
	}
	id, err := o.moduleID(ctx, sys, word)
	if err != nil {
		return err
	}
	how, err := runner.OnNode(sys.Env, id)
	if coded, ok := errors.AsType[*exit.Error](err); ok && coded.Code == exit.NotFound {
		sys.Notef("%v; so the node itself restores it, and nothing is compared", err)
		return o.try(ctx, sys, id, report)
	}
	if err != nil {
		return err
	}
	report.Module = id
	return o.have(ctx, sys, how, report)
}

func (o *options) moduleID(ctx context.Context, sys *host.System, word string) (string, error) {
	rdb, err := o.wait.Redis(ctx, sys)
	if err != nil {
		return "", err
	}
	defer func() { _ = rdb.Close() }()
	m, err := names.ModuleNamed(ctx, rdb, word)
	return m.ID, names.WronglyNamed(err)
}

// have runs module-drill as the module.
func (o *options) have(ctx context.Context, sys *host.System, how runner.Runner, report *Report) error {
	args := []string{"module-drill", "--json", "--dir", o.dir, "--sample", strconv.Itoa(o.sample)}
	for name, value := range map[string]string{"--backup": o.choice.Backup, "--destination": o.choice.Destination, "--snapshot": o.snapshot} {
		if value != "" {
			args = append(args, name, value)
		}
	}
	if o.wait.Limit > 0 {
		args = append(args, "--wait", o.wait.Limit.String())
	}
	cmd, err := how.Invocation(ctx, args...)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, sys.Stderr, endPatience
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// Its own process group gets a Ctrl-C once, from us. If we are killed it ends, and
	// removes what it has restored.
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGTERM
	err = restic.RunOnOneThread(cmd, nil)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ended, failed := errors.AsType[*exec.ExitError](err)
	if err != nil && !failed {
		return fmt.Errorf("run module-drill as module %s: %w", report.Module, err)
	}
	module := report.Module
	if json.Unmarshal(out.Bytes(), report) != nil || report.Ended.IsZero() {
		*report = Report{Module: module, Started: report.Started}
		if failed {
			return fmt.Errorf("module-drill as module %s ended with exit status %d, and without a report", module, ended.ExitCode())
		}
		return fmt.Errorf("module-drill as module %s ended without a report", module)
	}
	if report.ExitStatus != 0 {
		return exit.Silent(report.ExitStatus)
	}
	return nil
}

// next returns the module of this node whose turn it is, with the schedule to drill.
func (o *options) next(ctx context.Context, sys *host.System) (string, error) {
	rdb, err := o.wait.Redis(ctx, sys)
	if err != nil {
		return "", err
	}
	defer func() { _ = rdb.Close() }()
	all, err := turns(ctx, sys, rdb)
	if err != nil {
		return "", err
	}
	for _, t := range all {
		if o.choice.Backup == "" || o.choice.Backup == t.schedule.ID || o.choice.Backup == t.schedule.Name {
			o.choice.Backup = t.schedule.ID
			return t.module, nil
		}
	}
	return "", exit.Failf(exit.Usage, "no schedule backs up a module of this node: name a MODULE")
}
