package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// restoreRun is one run of restic restore.
type restoreRun struct {
	sys        *system
	plan       restorePlan
	record     *runRecord
	clear      func() error // removes what stands in the way
	started    time.Time
	resultFile string // where restic's last message goes, "" for nowhere

	progress progress
	last     []byte // restic's last message
	summary  *restic.Summary
}

func (r *restoreRun) restore(ctx context.Context) error {
	if err := r.plan.makeDirs(); err != nil {
		return err
	}
	if err := r.clear(); err != nil {
		return fmt.Errorf("prepare the restore: %w", resticError(r.plan.restic.Repository, err))
	}
	r.started = time.Now()
	r.progress = r.sys.newProgress(false, 1, 100)
	out, errs := restic.NewLines(r.hear), restic.NewLines(r.hearError)
	err := r.plan.restic.Run(ctx, restic.Streams{Stdout: out, Stderr: errs})
	out.Flush()
	errs.Flush()
	if err == nil {
		err = r.finish(ctx)
	}
	r.progress.done()
	if saveErr := r.saveResult(); saveErr != nil {
		return errors.Join(err, saveErr)
	}
	if err != nil {
		return restoreError(r.plan.restic.Repository, err)
	}
	return r.conclude()
}

func (r *restoreRun) hear(line []byte) {
	if len(line) == 0 || line[0] != '{' || !json.Valid(line) {
		return
	}
	r.last = bytes.Clone(line)
	switch event := restic.ParseEvent(line).(type) {
	case *restic.Status:
		r.progress.update(*event)
	case *restic.Summary:
		r.summary = event
	}
}

// hearError passes on what restic says of single files; how it ended is told by
// the error of the run.
func (r *restoreRun) hearError(line []byte) {
	switch event := restic.ParseEvent(line).(type) {
	case *restic.FileError:
		r.progress.say("warning: " + event.Item + ": " + event.Message)
	case *restic.ExitMessage:
	default:
		r.progress.say(string(line))
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
		return failf(exitNotFound, "nothing in snapshot %s matches", r.plan.snapshot.id[:8])
	}
	r.record.Snapshot, r.record.Files, r.record.Bytes = r.plan.snapshot.id, r.summary.FilesRestored, r.summary.BytesRestored
	if r.sys.env.taskID() != "" {
		r.sys.agent().setProgress(100)
	}
	r.sys.notef("restored %d files and directories, %s, in %v from snapshot %s of %s",
		r.summary.FilesRestored, formatBytes(r.summary.BytesRestored), time.Since(r.started).Round(time.Second),
		r.plan.snapshot.id[:8], r.plan.snapshot.time.Local().Format(time.DateTime))
	return nil
}

// restoreError is resticError with the words that fit a restore.
func restoreError(repository restic.Repository, err error) error {
	failure, ok := errors.AsType[*restic.Failure](err)
	if ok && failure.Reason == restic.Full {
		return failf(exitFull, "the disk is full: free space and run the restore again: %w", err)
	}
	return resticError(repository, err)
}
