package client

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

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// restoreRun is one run of restic restore.
type restoreRun struct {
	sys        *system
	wait       *waiting
	module     module
	plan       restorePlan
	record     *runRecord
	clear      func() error // removes what stands in the way
	started    time.Time
	resultFile string // where restic's last message goes, "" for nowhere

	progress progress
	last     []byte // restic's last message
	summary  *restic.Summary
	damaged  []string // the files that --verify found not to be what was restored

	warned     []string // what was told of single files, the first of them
	untold     int      // how many there were besides
	untoldLast string   // the last of these
}

func (r *restoreRun) restore(ctx context.Context) (err error) {
	session, err := beginSession(ctx, r.sys, doesRestore, r.module, &r.plan.restic)
	if err != nil {
		return err
	}
	defer func() { session.end(ctx, r.plan.restic, err == nil, err) }()
	if err := r.plan.makeDirs(); err != nil {
		return err
	}
	if err := r.clear(); err != nil {
		return fmt.Errorf("prepare the restore: %w", resticError(r.plan.restic.Repository, err))
	}
	r.started = time.Now()
	r.progress = newProgress(r.sys, false, 1, 100)
	if !r.plan.restic.Version.Has(restic.SubfolderVersion) {
		r.progress.say("restoring: restic before 0.16 does not tell how far it is")
	}
	err = r.wait.forLock(ctx, r.sys, r.plan.restic, func() error {
		return orWithoutLock(r.plan.restic, r.progress.say, func(command restic.Invocation) error {
			return listen(ctx, command, r.hearText, r.hear)
		})
	})
	r.warnOfMore()
	if err == nil {
		err = r.finish(ctx)
	}
	r.progress.done()
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
		r.progress.update(*event)
	case *restic.Summary:
		r.last = bytes.Clone(line)
		r.summary = event
	case *restic.FileError:
		r.noteDamage(event.Message)
		r.warn(event.Item + ": " + event.Message)
	}
}

// warn tells what is wrong with a file, once: restic says it of each part of one. A
// full disk is too small for all that is left, so that not every file is told.
func (r *restoreRun) warn(text string) {
	if slices.Contains(r.warned, text) || text == r.untoldLast {
		return
	}
	if len(r.warned) == mostWarnings {
		r.untold, r.untoldLast = r.untold+1, text
		return
	}
	r.warned = append(r.warned, text)
	r.progress.say("warning: " + text)
}

// warnOfMore tells how much warn has not.
func (r *restoreRun) warnOfMore() {
	if r.untold > 0 {
		r.progress.say(fmt.Sprintf("warning: and %d more", r.untold))
	}
}

// hearText passes on what restic says besides its events. How it ended is told by
// the error of the run.
func (r *restoreRun) hearText(line string) {
	r.noteDamage(line)
	r.progress.say(line)
}

// damage is how restic tells that a file is not what it has written.
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
		r.progress.say("warning: " + w)
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
		return failf(exitNotFound, "nothing in snapshot %s matches", r.plan.snapshot.short())
	}
	r.record.Snapshot, r.record.Files, r.record.Bytes = r.plan.snapshot.id, r.summary.FilesRestored, r.summary.BytesRestored
	if r.sys.env.taskID() != "" {
		r.sys.agent().setProgress(100)
	}
	r.sys.notef("restored %d files and directories, %s, in %v from snapshot %s of %s",
		r.summary.FilesRestored, formatBytes(r.summary.BytesRestored), time.Since(r.started).Round(time.Second),
		r.plan.snapshot.short(), r.plan.snapshot.time.Local().Format(time.DateTime))
	return nil
}

// explain is resticError with the words that fit a restore.
func (r *restoreRun) explain(err error) error {
	if len(r.damaged) > 0 {
		return failf(exitFailed, "what was written is not what snapshot %s holds: %s: run the restore again, and check the disk",
			r.plan.snapshot.short(), strings.Join(limitWarnings(r.damaged), ", "))
	}
	failure, ok := errors.AsType[*restic.Failure](err)
	if ok && failure.Reason == restic.Full {
		return failf(exitFull, "the disk is full: free space and run the restore again: %w", err)
	}
	return resticError(r.plan.restic.Repository, err)
}
