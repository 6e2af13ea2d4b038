package wrapper

import (
	"context"
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/lease"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// deleting are the restic commands that delete from a repository.
var deleting = []string{"forget", "key", "migrate", "prune", "rebuild-index", "recover", "repair", "rewrite", "tag", "unlock"}

// reading are restic commands that only read, but that other work would disturb.
var reading = []string{"check", "copy"}

// valued are restic options that may precede the command and take a separate value.
var valued = []string{
	"-o", "--option", "-p", "--password-file", "--password-command", "-r", "--repo", "--repository-file", "--cacert", "--cache-dir", "--compression",
	"--http-user-agent", "--key-hint", "--limit-download", "--limit-upload", "--pack-size", "--retry-lock", "--stuck-request-timeout", "--tls-client-cert",
}

// commandOf returns the restic command in its arguments.
func commandOf(args []string) string {
	for i := 0; i < len(args); i++ {
		switch {
		case slices.Contains(valued, args[i]):
			i++
		case !strings.HasPrefix(args[i], "-"):
			return args[i]
		}
	}
	return ""
}

// withLease calls do with a lease of the repository, if the restic command needs one. If no
// lease is available, a deleting command fails, and a reading one continues. do must work
// in the context that it gets.
func withLease(ctx context.Context, sys *host.System, wait *run.Waiting, repository restic.Repository, command string, do func(context.Context) error) error {
	deletes := slices.Contains(deleting, command)
	if !deletes && !slices.Contains(reading, command) {
		return do(ctx)
	}
	var held *lease.Lease
	err := wait.Retry(ctx, sys, func() (err error) {
		held, err = lease.Get(ctx, sys, repository, command)
		if none, unknown := lease.IsNone(err); none && !unknown && deletes {
			return exit.With(exit.Locked, err) // temporary, like a lock
		}
		return err
	})
	none, unknown := lease.IsNone(err)
	if err != nil && (!none || !unknown && deletes) {
		return err
	}
	defer held.Release(ctx, false)
	return do(held.Context(ctx))
}
