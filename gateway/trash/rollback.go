package trash

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// checkHorizon refuses times before the horizon. At the end of its very second all that
// was purged had been deleted.
func checkHorizon(at, horizon time.Time) error {
	if earliest := horizon.Truncate(time.Second); at.Before(earliest) {
		return &storage.HorizonError{Earliest: earliest}
	}
	return nil
}

// Plan is what a rollback would do, or has done.
type Plan struct {
	// Leaving are the objects that were received since, which go to the trash; Returning
	// those that were deleted since.
	Leaving   []Object
	Returning []ledger.Entry
	// Locks are how many locks are removed.
	Locks int
}

// PlanRollback finds out how a repository becomes what it was at the end of that second: what
// was received by then is there unless it was deleted by then. Keys and config stay as
// they are unless withKeys. Before the horizon that is not possible: a [storage.HorizonError].
func (s *Store) PlanRollback(ctx context.Context, repo string, to time.Time, withKeys bool) (Plan, error) {
	var plan Plan
	if err := s.Look(ctx, repo); err != nil {
		return plan, err
	}
	horizon, err := s.Horizon(ctx, repo)
	if err != nil {
		return plan, err
	}
	if err := checkHorizon(to, horizon); err != nil {
		return plan, err
	}
	affected := func(kind string) bool { return withKeys || kind != ledger.Keys && kind != ledger.Config }
	there := make(map[ledger.Key]bool)
	for o, err := range s.Objects(ctx, repo) {
		switch {
		case err != nil:
			return plan, err
		case !affected(o.Kind):
		case o.Received.IsZero():
			return plan, fmt.Errorf("roll back %s: the storage does not say when it received objects: %w", repo, errors.ErrUnsupported)
		case later(o.Received, to):
			plan.Leaving = append(plan.Leaving, o)
		default:
			there[ledger.Key{Kind: o.Kind, Name: o.Name}] = true
		}
	}
	entries, err := s.ledger.Entries(ctx, repo)
	if err != nil {
		return plan, err
	}
	for _, e := range slices.Backward(entries) { // the one deleted last, of several
		key := ledger.Key{Kind: e.Kind, Name: e.Name}
		if affected(e.Kind) && !later(e.Received, to) && later(e.Deleted, to) && !there[key] {
			there[key] = true
			plan.Returning = append(plan.Returning, e)
		}
	}
	err = s.store.List(ctx, repo+"/locks", func(fs.FileInfo) error {
		plan.Locks++
		return nil
	})
	return plan, storage.IgnoreAbsent(err)
}

// later reports whether something happened after the second of a time. Not every storage
// says more of the time than that.
func later(at, than time.Time) bool {
	return at.Truncate(time.Second).After(than.Truncate(time.Second))
}

// Rollback does what a plan says: it removes the locks, moves what leaves into the trash,
// snapshots before the packs that they need, and brings back what returns, packs first. A
// rollback that broke off is completed by planning and running it again; another one, to
// a time before it, undoes it.
func (s *Store) Rollback(ctx context.Context, repo string, plan Plan) error {
	if s.opts.Keep() <= 0 {
		return fmt.Errorf("roll back %s: the destination keeps nothing that is deleted: %w", repo, fs.ErrInvalid)
	}
	if err := s.removeLocks(ctx, repo); err != nil {
		return err
	}
	leaving := slices.Clone(plan.Leaving)
	slices.SortStableFunc(leaving, func(a, b Object) int { return cmp.Compare(leavingOrder(a.Kind), leavingOrder(b.Kind)) })
	for _, o := range leaving {
		if err := s.Remove(ctx, o.Path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("roll back %s: %w", repo, err)
		}
	}
	_, err := s.RestoreAll(ctx, plan.Returning)
	return err
}

// leavingOrder is that in which kinds leave: nothing that stays for a moment points at
// what has left.
func leavingOrder(kind string) int {
	return slices.Index([]string{ledger.Snapshots, ledger.Index, ledger.Data, ledger.Keys, ledger.Config}, kind)
}

// removeLocks removes all locks of a repository: those who hold them work on what it no
// longer is.
func (s *Store) removeLocks(ctx context.Context, repo string) error {
	var names []string
	err := s.store.List(ctx, repo+"/locks", func(info fs.FileInfo) error {
		names = append(names, repo+"/locks/"+info.Name())
		return nil
	})
	if err := storage.IgnoreAbsent(err); err != nil {
		return err
	}
	return storage.RemoveAll(ctx, s.store, names)
}
