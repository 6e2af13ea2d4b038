package run

import (
	"context"
	"errors"
	"slices"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// lockTries is how often a reading command tries to store its lock. That is enough for a
// storage with temporary failures.
const lockTries = 3

// OrWithoutLock runs a read-only restic command. If the storage refuses restic's lock, it
// warns and runs the command again without a lock, so that repositories on read-only or
// full storage can be read.
func OrWithoutLock(command restic.Invocation, say func(line string), run func(restic.Invocation) error) error {
	command.LockTries = lockTries
	err := run(command)
	failure, ok := errors.AsType[*restic.Failure](err)
	if !ok || !failure.LockRefused || !readsRegardless(failure.Reason) {
		return err
	}
	say("warning: " + withoutLockText(failure.Reason))
	return run(withoutLock(command))
}

// readsRegardless reports whether reading may work although writing failed for that reason.
// A repository that the gateway refuses cannot be read either.
func readsRegardless(reason restic.Reason) bool {
	return reason == restic.Full || reason == restic.Unreachable || reason == restic.Unknown
}

func withoutLockText(reason restic.Reason) string {
	why := "the storage does not take restic's lock"
	if reason == restic.Full {
		why = "the storage refuses writes (read-only, full, or a quota is reached), so restic's lock too"
	}
	return why + ": reading without a lock; let nothing prune the repository meanwhile"
}

// withoutLock inserts --no-lock before anything that could end restic's options.
func withoutLock(command restic.Invocation) restic.Invocation {
	return command.With(slices.Insert(slices.Clone(command.Args), 1, "--no-lock")...)
}

// readingCommands are restic commands that lock a repository only to read it.
var readingCommands = []string{"cat", "check", "diff", "dump", "find", "list", "ls", "mount", "restore", "snapshots", "stats"}

// plainFlags are restic's options without a value that may precede its command.
var plainFlags = []string{"--cleanup-cache", "--json", "--no-cache", "--quiet", "--verbose", "-q", "-v", "-vv"}

// onlyReads reports whether a restic command line is certainly read-only.
func onlyReads(args []string) bool {
	for _, arg := range args {
		switch {
		case slices.Contains(readingCommands, arg):
			return !slices.Contains(args, "--no-lock")
		case !slices.Contains(plainFlags, arg):
			return false
		}
	}
	return false
}

// LockIfWritable adds --no-lock to a read-only command if the gateway says that the storage
// refuses writes. It is for callers that become restic and cannot try twice.
func LockIfWritable(ctx context.Context, sys *host.System, run restic.Invocation) restic.Invocation {
	if !onlyReads(run.Args) {
		return run
	}
	reply, err := destinationHealth(ctx, NewProbe(sys.Env), sys.Env.GatewayURL(), run.Repository, true)
	if err != nil || reply.State != adminapi.HealthUnwritable {
		return run // restic will report the problem
	}
	sys.Warnf("%s", healthText(reply))
	sys.Warnf("%s", withoutLockText(restic.Full))
	return withoutLock(run)
}
