package runbackup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/runlive"
	"github.com/rclone-gateway/rclone-gateway/client/runner"
)

// childGrace is how long a module's command may take to end after SIGTERM: restic drops its
// lock, and the module cleans up.
const childGrace = 2*restic.Grace + time.Minute

// runChild runs module-backup as the module, and records the outcome in the run.
func (r *execution) runChild(ctx context.Context, m *module, record *history.Run) exit.Code {
	how, err := runner.OnNode(r.sys.Env, m.ID)
	if err != nil {
		return failed(record, err)
	}
	args := []string{"module-backup"}
	if !r.sys.Env.OnNS8() { // NethServer 8's own command does not have the option
		args = append(args, "--log-json", "--"+run.LogProgressFlag)
	}
	cmd, err := how.Invocation(ctx, append(args, r.facts.Schedule.ID)...)
	if err != nil {
		return failed(record, err)
	}
	out := &childOutput{name: m.ID, to: r.sys.Stderr, live: r.live}
	lines := restic.NewLines(out.line)
	cmd.Stdout, cmd.Stderr = lines, lines
	cmd.WaitDelay = childGrace
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// Its own process group gets a Ctrl-C once, from us. If we are killed, it ends.
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGTERM
	err = restic.RunOnOneThread(cmd, nil)
	lines.Flush()
	return out.judge(record, err)
}

// failed records that a task could not start.
func failed(record *history.Run, err error) exit.Code {
	status := exit.Failed
	if coded, ok := errors.AsType[*exit.Error](err); ok {
		status = coded.Code
	}
	if status == exit.Busy || status == exit.Locked { // the command prints nothing about these
		status = exit.Failed
	}
	record.Outcome, record.Error, record.ExitStatus = history.Failed, err.Error(), int(status)
	return status
}

// childOutput prints the output of a module's command, each line after the module's name,
// and collects what goes into the history.
type childOutput struct {
	name string
	to   io.Writer
	live *runlive.Teller

	mu     sync.Mutex
	record *run.Record
	last   string // line
	told   string // the error that the program reported
}

func (o *childOutput) line(line []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var record run.Record
	if bytes.HasPrefix(line, []byte("{")) && json.Unmarshal(line, &record) == nil && record.Command == "module-backup" {
		o.record = &record
		return
	}
	var event run.ProgressEvent
	if bytes.HasPrefix(line, []byte("{")) && json.Unmarshal(line, &event) == nil && event.Event == run.ProgressEventName {
		o.live.Progress(o.name, event)
		return
	}
	text := string(line)
	if strings.TrimSpace(text) == "" {
		return
	}
	o.last = text
	if _, said, found := strings.Cut(text, ": "); found && strings.HasPrefix(text, "module-backup: ") || found && strings.HasPrefix(text, "gatewayctl: ") {
		o.told = said
	}
	o.live.Say(o.name, text)
	_, _ = io.WriteString(o.to, o.name+": "+text+"\n")
}

// judge records the outcome of the command.
func (o *childOutput) judge(record *history.Run, err error) exit.Code {
	o.mu.Lock()
	defer o.mu.Unlock()
	status := exit.OK
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.Exited() {
		status = exit.Code(ended.ExitCode())
	} else if err != nil {
		return failed(record, err)
	}
	record.ExitStatus = int(status)
	if told := o.record; told != nil {
		record.Snapshot, record.Files, record.Bytes, record.Added = told.Snapshot, told.Files, told.Bytes, told.BytesAdded
		record.Missing = slices.Concat(told.Unreadable, told.Missing)
		record.Error = told.Error
	} else if status != exit.OK {
		record.Error = o.told
		if record.Error == "" {
			record.Error = o.last
		}
	}
	switch status {
	case exit.OK:
		record.Outcome, record.Error = history.Done, ""
	case exit.Partial, exit.Incomplete:
		record.Outcome = history.Partial
	default:
		record.Outcome = history.Failed
		if record.Error == "" {
			record.Error = "module-backup ended with exit status " + err.Error()
		}
	}
	return status
}
