package notify

import (
	"context"
	"errors"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/notifyfile"
	"github.com/rclone-gateway/rclone-gateway/client/outbox"
)

const (
	// every is the interval between the scheduler's passes.
	every = time.Minute
	// turnFor is how long the pass of a run waits for another pass.
	turnFor = time.Minute
)

// once performs a pass if there is a configuration, also if no channel in it is usable.
func once(ctx context.Context, sys *host.System, path, stateDir string, patience time.Duration) error {
	file, err := notifyfile.Read(path)
	if notifyfile.Missing(err) {
		return outbox.SetNotes(stateDir, aboutFile, time.Now(), nil)
	}
	if err != nil {
		return errors.Join(err, outbox.SetNotes(stateDir, aboutFile, time.Now(), map[string]string{"mistakes": err.Error()}))
	}
	if _, err := sys.Env.NodeCredentials(); err != nil {
		return err
	}
	unlock, err := lockPass(ctx, stateDir, patience)
	if err != nil {
		return err
	}
	defer unlock()
	return newPass(sys, stateDir, file).run(ctx)
}

// Watch performs a pass each minute, until ctx ends.
func Watch(ctx context.Context, sys *host.System, stateDir string) {
	said := ""
	for wait(ctx, every) {
		err := once(ctx, sys, notifyfile.Path(sys.Env, ""), stateDir, 0)
		text := ""
		if err != nil && !errors.Is(err, errBusy) && ctx.Err() == nil {
			text = err.Error()
		}
		if text != "" && text != said {
			sys.Warnf("people may not be told: %s", text)
		}
		said = text
	}
}

// AfterRun performs a pass after a run, so that a failure is reported at once.
func AfterRun(ctx context.Context, sys *host.System, stateDir string) {
	err := once(ctx, sys, notifyfile.Path(sys.Env, ""), stateDir, turnFor)
	if err != nil && !errors.Is(err, errBusy) {
		sys.Warnf("people may not be told how the run ended: %v", err)
	}
}
