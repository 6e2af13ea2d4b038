package drill

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/restore"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/snapshot"
	"github.com/rclone-gateway/rclone-gateway/client/state"
)

// verifyHook is a command of the module that checks the restored files.
const verifyHook = "module-verify-state"

// most bounds the bytes that are compared.
const most = 1 << 30

// drilling is one drill.
type drilling struct {
	sys      *host.System
	subject  *subject
	snapshot string // an ID, "" for the latest
	sample   int
	wait     *run.Waiting
	report   *Report
	taken    time.Time // start of the snapshot
}

// run restores into a temporary directory, checks the result, and removes it.
func (d *drilling) run(ctx context.Context, home home) (err error) {
	place, err := home.take(d.subject.module.ID)
	if err != nil {
		return err
	}
	defer func() {
		if removed := place.remove(ctx); removed != nil {
			d.sys.Warnf("what was restored is not removed from %s: %v", place.dir, removed)
		}
	}()
	d.subject.withoutCache(place)
	if err := d.checkThere(ctx); err != nil {
		return err
	}
	if err := d.checkSpace(ctx, place); err != nil {
		return err
	}
	if err := d.restore(ctx, place); err != nil {
		return err
	}
	if err := d.compare(ctx, place); err != nil {
		return err
	}
	return d.verify(ctx, place)
}

// checkThere fails if the repository does not exist or the destination does not answer.
// Restic would retry for many minutes.
func (d *drilling) checkThere(ctx context.Context) error {
	there, err := run.NewProbe(d.sys.Env).Exists(ctx, d.subject.base.Repository)
	if err == nil && !there {
		repository := d.subject.base.Repository
		return exit.Failf(exit.NotRestorable, "not restorable: there is no repository %s%s", repository, repository.Remedy())
	}
	return err
}

// spareSpace stays free on the disk that is restored to.
const spareSpace = 64 << 20

// checkSpace fails if the snapshot is known not to fit.
func (d *drilling) checkSpace(ctx context.Context, place *spot) error {
	size, err := d.size(ctx)
	if err != nil {
		return err
	}
	free, err := place.space()
	if err != nil {
		return err
	}
	if size > 0 && free < size+spareSpace {
		return exit.Failf(exit.NotTried, "the drill could not be tried: the snapshot holds %s, and %s are free at %s: name another place with --dir",
			host.FormatBytes(size), host.FormatBytes(free), place.home.dir)
	}
	return nil
}

// size returns the snapshot's size, 0 if restic did not record it.
func (d *drilling) size(ctx context.Context) (uint64, error) {
	from := snapshot.Source{Repository: d.subject.base.Repository, Command: func(context.Context) (restic.Invocation, error) {
		return d.subject.base, nil
	}}
	s, err := snapshot.One(ctx, from, d.snapshot)
	if err != nil {
		return 0, err
	}
	d.snapshot, d.report.Snapshot, d.taken = s.ID, s.ID, s.Time
	d.report.Time = s.Time.Local().Format(time.RFC3339)
	if s.Summary == nil {
		return 0, nil
	}
	return s.Summary.Bytes, nil
}

func (d *drilling) restore(ctx context.Context, place *spot) error {
	done, err := restore.Into(ctx, d.sys, restore.Aim{
		Module: d.subject.module, Base: d.subject.base, Snapshot: d.snapshot, Target: place.data(), Wait: d.wait,
	})
	d.report.RestoreSeconds, d.report.Files, d.report.Bytes = done.Took.Seconds(), done.Files, done.Bytes
	if err != nil && isFull(place) {
		return exit.Failf(exit.NotTried, "the drill could not be tried: the disk of %s is full: free space, or name another place with --dir: %w", place.home.dir, err)
	}
	if err == nil && done.Files == 0 {
		return exit.Failf(exit.NotRestorable, "not restorable: snapshot %s holds nothing", restic.ShortID(d.snapshot))
	}
	return err
}

// isFull reports whether the disk is full, whatever error restic made of it.
func isFull(place *spot) bool {
	const little = 1 << 20
	free, err := place.space()
	if err != nil {
		return false
	}
	probe := filepath.Join(place.dir, "probe")
	defer func() { _ = os.Remove(probe) }()
	return free < little || os.WriteFile(probe, make([]byte, little), 0o600) != nil
}

// compare compares a sample with the source, if the source is here.
func (d *drilling) compare(ctx context.Context, place *spot) error {
	sources, err := d.subject.sources(ctx)
	if err != nil {
		return fmt.Errorf("find the source: %w", err)
	}
	a := assistance{Restored: place.data(), Places: sources, Sample: d.sample, Most: most, Taken: d.taken}
	var done assisted
	if place.home.unshared {
		err = inNamespace(ctx, a, &done)
	} else {
		done, err = a.do()
	}
	if err != nil {
		return fmt.Errorf("compare what was restored: %w", err)
	}
	d.report.Compared, d.report.Changed, d.report.Gone = done.Compared, done.Changed, done.Gone
	for _, w := range host.LimitWarnings(done.Unread) {
		d.sys.Warnf("not compared: %s", w)
	}
	if len(done.Different) > 0 {
		names := make([]string, len(done.Different))
		for i, name := range done.Different {
			names[i] = fmt.Sprintf("%q", name)
		}
		return exit.Failf(exit.NotRestorable, "not restorable: of %d files that have not changed since snapshot %s, these were restored with another content: %s",
			done.Compared, restic.ShortID(d.snapshot), strings.Join(host.LimitWarnings(names), ", "))
	}
	return nil
}

// verify lets the module check the restored files.
func (d *drilling) verify(ctx context.Context, place *spot) error {
	if !d.subject.own {
		return nil
	}
	hook := state.HookOf(d.sys.Env, verifyHook)
	for _, wrong := range hook.Unusable {
		d.sys.Warnf("%s", wrong)
	}
	if hook.Path == "" {
		return nil
	}
	argv := []string{hook.Path, place.data()}
	if place.home.unshared {
		argv = append([]string{"podman", "unshare"}, argv...)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = place.data()
	cmd.Env = os.Environ()
	cmd.Stdout, cmd.Stderr = d.sys.Stderr, d.sys.Stderr
	cmd.WaitDelay = restic.Grace
	err := state.RunModuleCommand(cmd)
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		d.report.Verified = true
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	if _, ended := errors.AsType[*exec.ExitError](err); ended {
		return exit.Failf(exit.NotRestorable, "not restorable: %s found what was restored not to be in order: %w", hook.Path, err)
	}
	return fmt.Errorf("%s cannot be run: %w", hook.Path, err)
}
