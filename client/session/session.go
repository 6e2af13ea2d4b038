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

// What a module's runs of restic do: a part of their IDs.
const (
	DoesBackup  = "backup"
	DoesRestore = "restore"
	// DoesUpkeep is what a node does to the repositories of its modules: forget, prune, check.
	DoesUpkeep = "upkeep"
)

// Session is the time in which a backup or a restore works on a repository
// with restic, and at whose end no lock of a killed restic stays there.
//
// Restic takes a lock for stale when it is older than half an hour, or when it
// names this host and a process that is not alive. In a container restic is always
// process 1, and process 1 is alive in every other container too, so that plain
// unlock keeps the lock of a killed container, and prune fails. Therefore the
// containers of each session have a host name of their own. Whoever has found the note
// of a dead session, and has ended what it left running, knows that a lock of that
// name belongs to nobody. A native restic may be in a container too, together with
// us: the note tells its host name and its process.
type Session struct {
	sys   *host.System
	probe run.Probe
	own   *runNote
	lease *lease.Lease // nil where there is none
	clean bool         // no lock of a dead run is left
	dead  []*runNote   // of sessions that were killed, and have no containers any more
}

// Begin ends what killed sessions of the module have left running, and notes
// that one begins that works on base's repository. With Podman it gives base's
// containers their host name.
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
		// Whoever gets files out of a module may do so where its own disk is full or broken.
		sys.Warnf("the run is not noted, so that nobody will remove its lock if it is killed: %v", err)
		s.own = &runNote{id: id, repository: base.Repository.URL}
	default:
		return nil, fmt.Errorf("note the run in the state directory: %w", err)
	}
	if base.Runtime == restic.Native && s.own.file != nil {
		base.Files = append(base.Files, s.own.file) // an orphan is not dead
		base.Started = s.own.addProcess
	}
	return s, nil
}

// lockLabel marks the containers of a run.
func lockLabel(runID string) string { return "restic-run=" + runID }

// End ends the session, in which restic ended with err. Where a lock may have
// stayed it is removed, if restic could work at all: such a lock does not hinder a
// backup or a restore, but it does hinder prune.
func (s *Session) End(ctx context.Context, base restic.Invocation, worked bool, err error) {
	defer s.close(ctx)
	// Restic before 0.17 leaves its lock when the signal comes while it is making it.
	if ctx.Err() != nil {
		return
	}
	failure, failed := errors.AsType[*restic.Failure](err)
	killed := failed && failure.Killed()
	if killed || worked && (len(s.deadHere()) > 0 || len(s.lease.Dead()) > 0 && !s.clean) {
		s.sys.Notef("a run was interrupted: removing stale locks")
		if err := s.RemoveStaleLocks(ctx, base); err != nil {
			if ctx.Err() == nil { // a signal leaves them to the next run
				s.sys.Warnf("stale locks are not removed: %v", err)
			}
			return
		}
	}
	s.own.remove()
}

// RemoveStaleLocks removes the locks that killed runs, this one too, have left in
// the repository.
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

// deadHere are those of the dead that worked on this session's repository.
func (s *Session) deadHere() []*runNote {
	var here []*runNote
	for _, note := range s.dead {
		if note.repository == s.own.repository {
			here = append(here, note)
		}
	}
	return here
}

// close leaves to the next session what is not settled.
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
