package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/moduleapi"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// Waiting is how long a command waits for temporary obstacles: another run of the module, a
// lock in the repository, an unavailable Redis. The zero value does not wait, as NethServer
// 8 expects.
type Waiting struct {
	Limit time.Duration
	until time.Time // set by the first wait
	told  string
}

// AddFlag adds --wait.
func (w *Waiting) AddFlag(flags *pflag.FlagSet) {
	flags.DurationVar(&w.Limit, "wait", 0, "wait up to `DURATION`, such as 30m, where another run, a lock in the repository or a Redis that is away hinders this one (default: fail at once)")
}

// Check refuses a negative time.
func (w *Waiting) Check() error {
	if w.Limit < 0 {
		return exit.Failf(exit.Usage, "--wait %s is negative", w.Limit)
	}
	return nil
}

// Left returns the remaining time, which starts with the first call.
func (w *Waiting) Left() time.Duration {
	if w.Limit <= 0 {
		return 0
	}
	if w.until.IsZero() {
		w.until = time.Now().Add(w.Limit)
	}
	return max(0, time.Until(w.until))
}

const (
	firstPause   = 200 * time.Millisecond
	longestPause = 10 * time.Second
)

// Retry repeats do while it fails because of a temporary obstacle and time is left.
func (w *Waiting) Retry(ctx context.Context, sys *host.System, do func() error) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := do()
		if err == nil || !Passes(err) || w.Left() == 0 {
			return err
		}
		if text := err.Error(); text != w.told {
			w.told = text
			sys.Notef("waiting up to %s: %v", w.Left().Round(time.Second), err)
		}
		select {
		case <-time.After(min(pause, w.Left())):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Passes reports whether an error is a temporary obstacle: another run, a lock, an
// unavailable Redis.
func Passes(err error) bool {
	coded, ok := errors.AsType[*exit.Error](err)
	if !ok {
		return false
	}
	return coded.Code == exit.Busy || coded.Code == exit.Locked || RedisAway(err)
}

// RedisAway reports whether an error says that Redis, or the gateway in its place, does not
// answer, is starting or is failing over. Refused credentials do not count.
func RedisAway(err error) bool {
	if _, away := errors.AsType[*moduleapi.AwayError](err); away {
		return true
	}
	if coded, ok := errors.AsType[*exit.Error](err); !ok || coded.Code != exit.Redis {
		return false
	}
	if _, network := errors.AsType[net.Error](err); network || errors.Is(err, io.EOF) {
		return true
	}
	return slices.ContainsFunc([]string{"LOADING", "MASTERDOWN", "READONLY"}, func(prefix string) bool {
		return redis.HasErrorPrefix(err, prefix)
	})
}

// Redis connects to the node's replica as the agent. It waits until Redis is available.
func (w *Waiting) Redis(ctx context.Context, sys *host.System) (rdb *redis.Client, err error) {
	err = w.Retry(ctx, sys, func() (err error) {
		rdb, err = sys.Redis(ctx, host.LocalAgent)
		return err
	})
	return rdb, err
}

// lockPatience is the least time that restic waits for a lock in the repository.
const lockPatience = 5 * time.Minute

// ResticFlag returns the option with which restic waits for another process's lock.
func (w *Waiting) ResticFlag() string { return RetryLockFlag(max(lockPatience, w.Left())) }

// ForOthers returns how long to wait for another user of the repository: as long as restic
// waits for a lock.
func (w *Waiting) ForOthers() *Waiting { return &Waiting{Limit: max(lockPatience, w.Left())} }

// RetryLockFlag is the flag with which restic waits for a lock.
func RetryLockFlag(limit time.Duration) string {
	limit = limit.Round(time.Second)
	if limit%time.Minute == 0 {
		return fmt.Sprintf("--retry-lock=%dm", limit/time.Minute)
	}
	return "--retry-lock=" + limit.String()
}

// ForLock repeats a run of restic until it gets the lock, if restic is too old to wait
// itself.
func (w *Waiting) ForLock(ctx context.Context, sys *host.System, command restic.Invocation, run func() error) error {
	if command.Version.Has(restic.RetryLockVersion) {
		return run()
	}
	var failed error
	waited := w.Retry(ctx, sys, func() error {
		failed = run()
		return ResticError(command.Repository, failed)
	})
	if waited != nil && failed == nil {
		return waited
	}
	return failed
}
