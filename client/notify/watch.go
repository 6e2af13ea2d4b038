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
	// every is how often the scheduler makes a pass.
	every = time.Minute
	// turnFor is how long the pass of a run waits for another one.
	turnFor = time.Minute
)

// once makes a pass, if there is a file. One whose channels are all wrong is noted as well.
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

// Watch makes a pass each minute, until ctx ends.
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

// AfterRun makes a pass at the end of a run, so that a failure is told at once.
func AfterRun(ctx context.Context, sys *host.System, stateDir string) {
	err := once(ctx, sys, notifyfile.Path(sys.Env, ""), stateDir, turnFor)
	if err != nil && !errors.Is(err, errBusy) {
		sys.Warnf("people may not be told how the run ended: %v", err)
	}
}
