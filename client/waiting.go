package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// waiting is how long a command waits for what passes by itself: another run of the
// same module, a lock in the repository, a Redis that is away. The zero value does not
// wait, as NS8 expects.
type waiting struct {
	limit time.Duration
	until time.Time // of the first thing that it waits for
	told  string
}

// addFlag adds --wait.
func (w *waiting) addFlag(flags *pflag.FlagSet) {
	flags.DurationVar(&w.limit, "wait", 0, "wait up to `DURATION`, such as 30m, where another run, a lock in the repository or a Redis that is away hinders this one (default: fail at once)")
}

// check refuses what is no time to wait.
func (w *waiting) check() error {
	if w.limit < 0 {
		return failf(exitUsage, "--wait %s is negative", w.limit)
	}
	return nil
}

// left is how much of the time is left. It begins to run when it is first asked.
func (w *waiting) left() time.Duration {
	if w.limit <= 0 {
		return 0
	}
	if w.until.IsZero() {
		w.until = time.Now().Add(w.limit)
	}
	return max(0, time.Until(w.until))
}

const (
	firstPause   = 200 * time.Millisecond
	longestPause = 10 * time.Second
)

// retry repeats what fails because of something that passes, until the time is over.
func (w *waiting) retry(ctx context.Context, sys *system, do func() error) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := do()
		if err == nil || !passes(err) || w.left() == 0 {
			return err
		}
		if text := err.Error(); text != w.told {
			w.told = text
			sys.notef("waiting up to %s: %v", w.left().Round(time.Second), err)
		}
		select {
		case <-time.After(min(pause, w.left())):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// passes reports whether an error is of something that passes by itself: not of a
// Redis that refuses the credentials.
func passes(err error) bool {
	coded, ok := errors.AsType[*codedError](err)
	if !ok {
		return false
	}
	switch coded.code {
	case exitBusy, exitLocked:
		return true
	case exitRedis:
		_, network := errors.AsType[net.Error](err)
		return network || errors.Is(err, io.EOF) ||
			redis.HasErrorPrefix(err, "LOADING") || redis.HasErrorPrefix(err, "MASTERDOWN")
	default:
		return false
	}
}

// redis connects to the node's replica as the agent, and waits for it.
func (w *waiting) redis(ctx context.Context, sys *system) (rdb *redis.Client, err error) {
	err = w.retry(ctx, sys, func() (err error) {
		rdb, err = sys.redis(ctx, localAgent)
		return err
	})
	return rdb, err
}

// lockPatience is how long restic waits for a lock in the repository at least.
const lockPatience = 5 * time.Minute

// resticFlag has restic wait for a lock in the repository that another process holds.
func (w *waiting) resticFlag() string { return retryLockFlag(max(lockPatience, w.left())) }

// retryLockFlag is the flag with which restic waits for a lock.
func retryLockFlag(limit time.Duration) string {
	limit = limit.Round(time.Second)
	if limit%time.Minute == 0 {
		return fmt.Sprintf("--retry-lock=%dm", limit/time.Minute)
	}
	return "--retry-lock=" + limit.String()
}

// forLock repeats a run of restic for a lock in the repository, where restic is too old
// to wait for it.
func (w *waiting) forLock(ctx context.Context, sys *system, command restic.Invocation, run func() error) error {
	if command.Version.Has(restic.RetryLockVersion) {
		return run()
	}
	var failed error
	waited := w.retry(ctx, sys, func() error {
		failed = run()
		return resticError(command.Repository, failed)
	})
	if waited != nil && failed == nil {
		return waited
	}
	return failed
}
