// Package announce runs an administrator's hooks and pings dead-man's switches when a run
// of a schedule begins and ends.
package announce

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/channel"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/hook"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/message"
	"github.com/rclone-gateway/rclone-gateway/client/notifyfile"
	"github.com/rclone-gateway/rclone-gateway/client/outbox"
)

const (
	// startFor bounds the ping at the beginning. No run waits for it.
	startFor = 10 * time.Second
	// mostLog bounds the log that a switch gets, in bytes; keptLines is how many lines are
	// kept for it.
	mostLog   = 10 << 10
	keptLines = 200
)

// Run announces one run of a schedule. Set the fields before [Run.Begin].
type Run struct {
	Sys      *host.System
	StateDir string

	ID, Schedule, Name, Node, Destination string
	Modules                               []string
	Planned, Started                      time.Time

	file  *notifyfile.File
	start sync.WaitGroup

	mu       sync.Mutex
	lines    []string
	outcomes map[history.Outcome][]string // module IDs
}

// Begin runs the hooks of the directory before, and pings. It fails if a hook fails that
// must stop the run.
func (r *Run) Begin(ctx context.Context) error {
	r.outcomes = map[history.Outcome][]string{}
	path := notifyfile.Path(r.Sys.Env, "")
	var err error
	if r.file, err = notifyfile.Read(path); err != nil && !notifyfile.Missing(err) {
		r.Sys.Warnf("nobody is told of this run: %v", err)
	}
	r.pingStart(ctx)
	failed := r.hooks(ctx, hook.Before)
	if len(failed) == 0 || r.file.Hooks.Warn {
		return nil
	}
	return exit.Failf(exit.Failed, "the hook %s, which is before each run, failed: %w", failed[0].Path, failed[0].Err)
}

// Ended records the outcome of a task, and the line that was printed about it.
func (r *Run) Ended(run *history.Run, said string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.outcomes[run.Outcome], run.Module) {
		r.outcomes[run.Outcome] = append(r.outcomes[run.Outcome], run.Module)
	}
	r.lines = append(r.lines, said)
	r.lines = r.lines[max(0, len(r.lines)-keptLines):]
}

// End runs the hooks for after a run, and pings. err is the run's error. An interrupted run
// will continue: only hooks hear of the interruption.
func (r *Run) End(ctx context.Context, err error) {
	r.start.Wait()
	outcome := r.outcome(err)
	if ctx.Err() != nil {
		outcome = "interrupted"
	}
	ctx = context.WithoutCancel(ctx)
	facts := r.facts(outcome, err)
	var failed []hook.Result
	if outcome == history.Failed || outcome == history.Partial {
		failed = r.run(ctx, hook.Failure, facts)
	}
	failed = append(failed, r.run(ctx, hook.After, facts)...)
	r.note("after", failed)
	if outcome != "interrupted" {
		r.pingEnd(ctx, outcome, err)
	}
}

// outcome returns the outcome of the whole run.
func (r *Run) outcome(err error) history.Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range []history.Outcome{history.Failed, history.Partial} {
		if len(r.outcomes[o]) > 0 {
			return o
		}
	}
	if err != nil {
		return history.Failed
	}
	return history.Done
}

// hooks runs the hooks for before, and records failures.
func (r *Run) hooks(ctx context.Context, when hook.When) []hook.Result {
	failed := r.run(ctx, when, r.facts("", nil))
	r.note(string(when), failed)
	return failed
}

// run runs hooks, reports failures to people, and returns them.
func (r *Run) run(ctx context.Context, when hook.When, facts map[string]string) []hook.Result {
	h := hook.Hooks{Dir: r.file.Hooks.Dir, Limit: r.file.Hooks.Limit, Output: r.Sys.Stderr}
	failed := slices.DeleteFunc(h.Run(ctx, when, facts), func(res hook.Result) bool { return res.Err == nil })
	for _, res := range failed {
		r.Sys.Warnf("hook %s: %v", res.Path, res.Err)
	}
	return failed
}

// note keeps failed hooks in the status until the next run.
func (r *Run) note(when string, failed []hook.Result) {
	texts := map[string]string{}
	for _, res := range failed {
		texts[res.Path] = fmt.Sprintf("the hook %s of schedule %s failed: %s", res.Path, r.title(), host.Printable(res.Err.Error()))
	}
	if err := outbox.SetNotes(r.StateDir, outbox.AboutHooks+r.Schedule+"/"+when+"/", time.Now(), texts); err != nil {
		r.Sys.Warnf("that hooks failed is not in the status: %v", err)
	}
}

func (r *Run) title() string {
	if r.Name != "" {
		return host.Printable(r.Name)
	}
	return r.Schedule
}

// facts returns the variables that hooks get about the run.
func (r *Run) facts(outcome history.Outcome, err error) map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	facts := map[string]string{
		"BACKUP_RUN_ID": r.ID, "BACKUP_SCHEDULE_ID": r.Schedule, "BACKUP_SCHEDULE_NAME": r.Name, "BACKUP_NODE_ID": r.Node,
		"BACKUP_DESTINATION": r.Destination, "BACKUP_MODULES": strings.Join(r.Modules, " "), "BACKUP_PLANNED": at(r.Planned), "BACKUP_STARTED": at(r.Started),
	}
	if outcome == "" {
		return facts
	}
	facts["BACKUP_ENDED"], facts["BACKUP_OUTCOME"] = at(time.Now()), string(outcome)
	facts["BACKUP_FAILED_MODULES"] = strings.Join(r.outcomes[history.Failed], " ")
	facts["BACKUP_PARTIAL_MODULES"] = strings.Join(r.outcomes[history.Partial], " ")
	facts["BACKUP_ERROR"] = ""
	if err != nil {
		facts["BACKUP_ERROR"] = err.Error()
	}
	return facts
}

// switches calls do for each dead-man's switch of the schedule.
func (r *Run) switches(do func(c *notifyfile.Channel, s channel.Sender)) {
	for i := range r.file.Channels {
		c := &r.file.Channels[i]
		if c.Kind != notifyfile.Healthchecks || c.Schedule != "" && c.Schedule != r.Schedule && c.Schedule != r.Name {
			continue
		}
		if s, err := channel.Open(c); err == nil {
			do(c, s)
		}
	}
}

// signal returns the message for a switch.
func (r *Run) signal(c *notifyfile.Channel, state message.State, log string) *message.Message {
	return &message.Message{
		ID: r.ID + "-" + string(state) + "-" + uuidOf(c.Name)[:8], Kind: message.Ping, At: time.Now(), Host: r.Node,
		Subject: "ping: " + string(state) + " of schedule " + r.title(), Problems: []message.Problem{}, Replaces: "ping/" + c.Name + "/" + r.Schedule,
		Signal: &message.Signal{State: state, Run: uuidOf(r.ID), Log: log},
	}
}

// uuidOf derives a UUID from a text.
func uuidOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8 (custom) of RFC 9562
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// pingStart pings the beginning, in the background and without retries.
func (r *Run) pingStart(ctx context.Context) {
	r.switches(func(c *notifyfile.Channel, s channel.Sender) {
		m := r.signal(c, message.Started, "")
		r.start.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, startFor)
			defer cancel()
			if err := s.Send(ctx, m); err != nil && ctx.Err() == nil {
				r.Sys.Warnf("%s: %v", c.Name, err)
			}
		})
	})
}

// pingEnd pings the outcome now or, if that fails, later from the outbox.
func (r *Run) pingEnd(ctx context.Context, outcome history.Outcome, err error) {
	state := message.Succeeded
	if outcome != history.Done {
		state = message.Failed
	}
	r.mu.Lock()
	lines := slices.Clone(r.lines)
	r.mu.Unlock()
	if err != nil {
		lines = append(lines, err.Error())
	}
	r.switches(func(c *notifyfile.Channel, s channel.Sender) {
		login, _ := r.Sys.Env.Credentials() // no run starts without them
		clean := message.NewCleaner(append(channel.Secrets(c), login.Password)...)
		m := r.signal(c, state, clean.Lines(strings.Join(lines, "\n"), mostLog))
		errSend := s.Send(ctx, m)
		if errSend == nil {
			return
		}
		r.Sys.Warnf("%s: %v: it is tried again", c.Name, errSend)
		if err := outbox.Of(r.StateDir).Add(m, []string{c.Name}); err != nil {
			r.Sys.Warnf("%s: %v", c.Name, err)
		}
	})
}
