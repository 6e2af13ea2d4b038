package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/session"
)

// restoreRun is one run of restic restore.
type restoreRun struct {
	sys        *host.System
	wait       *run.Waiting
	module     host.Module
	plan       restorePlan
	record     *run.Record
	clear      func() error // removes what is in restic's way
	started    time.Time
	resultFile string // gets restic's last message, "" for none

	progress run.Progress
	last     []byte // restic's last message
	summary  *restic.Summary
	damaged  []string // files that --verify found to be wrong

	warned     []string // the first printed warnings about single files
	untold     int      // number of further warnings
	untoldLast string   // the last of these
}

func (r *restoreRun) restore(ctx context.Context) (err error) {
	session, err := session.Begin(ctx, r.sys, session.DoesRestore, r.module, &r.plan.restic)
	if err != nil {
		return err
	}
	defer func() { session.End(ctx, r.plan.restic, err == nil, err) }()
	if err := r.plan.makeDirs(); err != nil {
		return err
	}
	if err := r.plan.refuseLinks(); err != nil {
		return err
	}
	if err := r.clear(); err != nil {
		return fmt.Errorf("prepare the restore: %w", run.ResticError(r.plan.restic.Repository, err))
	}
	r.started = time.Now()
	r.progress = run.NewProgress(r.sys, false, 1, 100)
	if !r.plan.restic.Version.Has(restic.SubfolderVersion) {
		r.progress.Say("restoring: restic before 0.16 does not say how far it is")
	}
	err = r.wait.ForLock(ctx, r.sys, r.plan.restic, func() error {
		return run.OrWithoutLock(r.plan.restic, r.progress.Say, func(command restic.Invocation) error {
			return run.Listen(ctx, command, r.hearText, r.hear)
		})
	})
	r.warnOfMore()
	if err == nil {
		err = r.finish(ctx)
	}
	r.progress.Done()
	if saveErr := r.saveResult(); saveErr != nil {
		return errors.Join(err, saveErr)
	}
	if err != nil {
		return r.explain(err)
	}
	return r.conclude()
}

func (r *restoreRun) hear(event restic.Event, line []byte) {
	switch event := event.(type) {
	case *restic.Status:
		r.last = bytes.Clone(line)
		r.progress.Update(*event)
	case *restic.Summary:
		r.last = bytes.Clone(line)
		r.summary = event
	case *restic.FileError:
		r.noteDamage(event.Message)
		r.warn(event.Item + ": " + event.Message)
	}
}

// warn prints a problem of a file once: restic repeats it for each part of the file. The
// number of warnings is bounded, since a full disk affects every remaining file.
func (r *restoreRun) warn(text string) {
	if slices.Contains(r.warned, text) || text == r.untoldLast {
		return
	}
	if len(r.warned) == host.MostWarnings {
		r.untold, r.untoldLast = r.untold+1, text
		return
	}
	r.warned = append(r.warned, text)
	r.progress.Say("warning: " + text)
}

// warnOfMore says how many warnings were left out.
func (r *restoreRun) warnOfMore() {
	if r.untold > 0 {
		r.progress.Say(fmt.Sprintf("warning: and %d more", r.untold))
	}
}

// hearText prints restic's output other than events. The final error is left to the run's
// error.
func (r *restoreRun) hearText(line string) {
	r.noteDamage(line)
	r.progress.Say(line)
}

// damage matches restic's message about a file that differs from what it wrote.
var damage = regexp.MustCompile(`(?s)(?:Unexpected content in (.+), starting at offset|Invalid file size for (.+): expected) `)

func (r *restoreRun) noteDamage(message string) {
	if found := damage.FindStringSubmatch(message); found != nil {
		r.damaged = append(r.damaged, found[1]+found[2])
	}
}

// finish does what an old restic cannot do itself.
func (r *restoreRun) finish(ctx context.Context) error {
	done, err := r.plan.assist.finish(ctx, r.started)
	if err != nil {
		return fmt.Errorf("finish the restore: %w", err)
	}
	for _, w := range done.Warnings {
		r.progress.Say("warning: " + w)
	}
	if r.summary == nil {
		r.summary = &restic.Summary{FilesRestored: done.Files, BytesRestored: done.Bytes}
		r.last = fmt.Appendf(nil, `{"message_type":"summary","files_restored":%d,"bytes_restored":%d}`, done.Files, done.Bytes)
	}
	return nil
}

func (r *restoreRun) saveResult() error {
	if r.resultFile == "" || r.last == nil {
		return nil
	}
	if err := os.WriteFile(r.resultFile, append(r.last, '\n'), 0o600); err != nil {
		return fmt.Errorf("save restic's last message: %w", err)
	}
	return nil
}

func (r *restoreRun) conclude() error {
	if r.plan.partial && r.summary.FilesRestored == 0 {
		return exit.Failf(exit.NotFound, "nothing in snapshot %s matches", r.plan.snapshot.short())
	}
	r.record.Snapshot, r.record.Files, r.record.Bytes = r.plan.snapshot.id, r.summary.FilesRestored, r.summary.BytesRestored
	if r.sys.Env.TaskID() != "" {
		r.sys.Agent().SetProgress(100)
	}
	r.sys.Notef("restored %d files and directories, %s, in %v from snapshot %s of %s",
		r.summary.FilesRestored, host.FormatBytes(r.summary.BytesRestored), time.Since(r.started).Round(time.Second),
		r.plan.snapshot.short(), r.plan.snapshot.time.Local().Format(time.DateTime))
	return nil
}

// explain is ResticError with wording for a restore.
func (r *restoreRun) explain(err error) error {
	if len(r.damaged) > 0 {
		return exit.Failf(exit.Failed, "what was written is not what snapshot %s holds: %s: run the restore again, and check the disk",
			r.plan.snapshot.short(), strings.Join(host.LimitWarnings(r.damaged), ", "))
	}
	failure, ok := errors.AsType[*restic.Failure](err)
	if ok && failure.Reason == restic.Full {
		return exit.Failf(exit.Full, "the disk is full: free space and run the restore again: %w", err)
	}
	return run.ResticError(r.plan.restic.Repository, err)
}
