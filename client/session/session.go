package session

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/lease"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// What a module's restic runs do: a part of their IDs.
const (
	DoesBackup  = "backup"
	DoesRestore = "restore"
	// DoesUpkeep stands for a node's work on its modules' repositories: forget, prune,
	// check.
	DoesUpkeep = "upkeep"
)

// Session is the work of a backup or a restore on a repository. At its end, no lock of a
// killed restic is left there.
//
// Restic considers a lock stale if it is older than half an hour, or if it names this host
// and a dead process. In a container restic is always process 1, and every other container
// has a live process 1. So restic unlock keeps the lock of a killed container, and prune
// fails. Therefore the containers of each session have their own host name. Whoever finds
// the note of a dead session, and has stopped what it left running, knows that locks with
// that host name are stale. A native restic may run in our container: its note records host
// name and process.
type Session struct {
	sys   *host.System
	probe run.Probe
	own   *runNote
	lease *lease.Lease // nil without a lease
	clean bool         // no lock of a dead run is left
	dead  []*runNote   // killed sessions whose containers are gone
}

// Begin stops what killed sessions of the module left running, and notes the beginning of a
// session on base's repository. With Podman it sets the host name of base's containers.
func Begin(ctx context.Context, sys *host.System, does string, m host.Module, base *restic.Invocation) (_ *Session, err error) {
	s := &Session{sys: sys, probe: run.NewProbe(sys.Env)}
	defer func() {
		if err != nil {
			s.close(ctx)
		}
	}()
	if s.dead, err = deadRunNotes(m.StateDir); err != nil {
		return nil, fmt.Errorf("look for runs that were killed: %w", err)
	}
	id := newRunID(does, m.ID)
	if base.Runtime == restic.Podman {
		node, err := nodeName()
		if err != nil {
			return nil, err
		}
		for _, note := range s.dead {
			if err := restic.StopContainers(ctx, lockLabel(note.id)); err != nil {
				return nil, err
			}
		}
		base.PodmanArgs = []string{"--hostname=" + lockHost(id, node), "--label=" + lockLabel(id)}
	}
	s.own, err = writeRunNote(m.StateDir, id, base.Repository.URL)
	switch {
	case err == nil:
	case does == DoesRestore:
		// Restoring files to elsewhere must work even if the module's own disk is full or
		// broken.
		sys.Warnf("the run is not noted, so that nobody will remove its lock if it is killed: %v", err)
		s.own = &runNote{id: id, repository: base.Repository.URL}
	default:
		return nil, fmt.Errorf("note the run in the state directory: %w", err)
	}
	if base.Runtime == restic.Native && s.own.file != nil {
		base.Files = append(base.Files, s.own.file) // an orphaned restic is still alive
		base.Started = s.own.addProcess
	}
	return s, nil
}

// lockLabel is the label of a run's containers.
func lockLabel(runID string) string { return "restic-run=" + runID }

// End ends the session; err is the error of restic. If a lock may be left, End removes it,
// provided that restic could work at all: it would not block backups and restores, but
// prune.
func (s *Session) End(ctx context.Context, base restic.Invocation, worked bool, err error) {
	defer s.close(ctx)
	// Restic before 0.17 leaves its lock if the signal comes while it creates it.
	if ctx.Err() != nil {
		return
	}
	failure, failed := errors.AsType[*restic.Failure](err)
	killed := failed && failure.Killed()
	if killed || worked && (len(s.deadHere()) > 0 || len(s.lease.Dead()) > 0 && !s.clean) {
		s.sys.Notef("a run was interrupted: removing stale locks")
		if err := s.RemoveStaleLocks(ctx, base); err != nil {
			if ctx.Err() == nil { // after a signal the next run does it
				s.sys.Warnf("stale locks are not removed: %v", err)
			}
			return
		}
	}
	s.own.remove()
}

// RemoveStaleLocks removes the locks that killed runs, including this one, left in the
// repository.
func (s *Session) RemoveStaleLocks(ctx context.Context, base restic.Invocation) error {
	dead := s.deadHere()
	locks := staleLocks{restic: base, probe: s.probe, dead: append(slices.Clone(dead), s.own), lockers: s.lease.Dead()}
	if err := locks.remove(ctx); err != nil {
		return err
	}
	s.clean = !locks.fresh
	for _, note := range dead {
		note.remove()
	}
	s.dead = slices.DeleteFunc(s.dead, func(n *runNote) bool { return slices.Contains(dead, n) })
	return nil
}

// deadHere returns the dead sessions that worked on this session's repository.
func (s *Session) deadHere() []*runNote {
	var here []*runNote
	for _, note := range s.dead {
		if note.repository == s.own.repository {
			here = append(here, note)
		}
	}
	return here
}

// close leaves unsettled notes to the next session.
func (s *Session) close(ctx context.Context) {
	s.lease.Release(ctx, s.clean)
	s.probe.Close()
	for _, note := range s.dead {
		note.close()
	}
	if s.own != nil {
		s.own.close()
	}
}
