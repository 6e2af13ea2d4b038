package session

import (
	"context"
	"fmt"
	"os"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/lease"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// Lease gets a lease of the session's repository until End, and waits for another holder.
// If no lease is available, the error is a [lease.NoneError]: a backup may then continue
// under restic's lock alone, but work that deletes may not.
func (s *Session) Lease(ctx context.Context, wait *run.Waiting, base *restic.Invocation, purpose string) error {
	return wait.ForOthers().Retry(ctx, s.sys, func() error { return s.get(ctx, base, purpose) })
}

// get gets a lease, without waiting.
func (s *Session) get(ctx context.Context, base *restic.Invocation, purpose string) error {
	var lockers []string
	if base.Runtime == restic.Podman {
		node, err := nodeName()
		if err != nil {
			return err
		}
		lockers = append(lockers, lockHost(s.own.id, node))
	}
	got, err := lease.Get(ctx, s.sys, base.Repository, purpose, lockers...)
	if err != nil {
		return err
	}
	s.lease = got
	if base.Runtime == restic.Native {
		started := base.Started
		base.Started = func(pid int) {
			if started != nil {
				started(pid)
			}
			if host, err := os.Hostname(); err == nil {
				s.lease.AddLocker(fmt.Sprintf("%s %d", host, pid))
			}
		}
	}
	return nil
}

// LeaseForBackup is Lease for work that can continue without one.
func (s *Session) LeaseForBackup(ctx context.Context, wait *run.Waiting, base *restic.Invocation, purpose string) error {
	err := s.Lease(ctx, wait, base, purpose)
	none, unknown := lease.IsNone(err)
	if none && !unknown {
		s.sys.Notef("%v: going on under restic's lock alone", err)
	}
	if none {
		return nil
	}
	return err
}

// LeaseToDelete is Lease for work that deletes. It waits for Redis; from a gateway without
// leases it needs none. The work must use the returned context, which ends when the lease
// is lost.
func (s *Session) LeaseToDelete(ctx context.Context, wait *run.Waiting, base *restic.Invocation, purpose string) (context.Context, error) {
	err := wait.Retry(ctx, s.sys, func() error {
		err := s.get(ctx, base, purpose)
		if none, unknown := lease.IsNone(err); none && !unknown {
			return exit.With(exit.Locked, err) // temporary, like a lock
		}
		return err
	})
	if none, unknown := lease.IsNone(err); none && unknown {
		err = nil
	}
	return s.lease.Context(ctx), err
}
