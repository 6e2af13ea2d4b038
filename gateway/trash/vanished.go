package trash

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// What vanishes from a repository outside of the trash, by a program that goes past this
// one or by hand, raises the horizon as a purge does. It is noticed by comparing with what
// was there before:
//
//   - the last look at the indexes, snapshots, keys and the config is kept; of those that
//     were there then and are neither there nor in the trash now, nobody knows when they
//     went, so that the horizon becomes the time of the new look;
//   - a mark without its pack: plain restic on a bucket prunes packs under marks. The pack
//     was there until the time of its mark.
//
// A prune replaces indexes, so that one by another program shows. What came and went
// between two looks does not, nor does a pack that vanishes while the indexes stay (restic
// check finds that), nor what somebody changes in the trash itself.

// seen are the repositories in which something was saved since the last look.
type seen struct {
	mu      sync.Mutex
	touched map[string]bool
	horizon map[string]time.Time // see destroy
}

func (n *seen) touch(repo string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.touched == nil {
		n.touched = make(map[string]bool)
	}
	n.touched[repo] = true
}

// take returns what was touched, which is then forgotten.
func (n *seen) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	repos := slices.Sorted(maps.Keys(n.touched))
	clear(n.touched)
	return repos
}

// LookAtChanged looks at the repositories in which something was saved since it was called
// last.
func (s *Store) LookAtChanged(ctx context.Context) error {
	repos := s.seen.take()
	for i, repo := range repos {
		if err := s.Look(ctx, repo); err != nil {
			for _, left := range repos[i:] {
				s.seen.touch(left)
			}
			return err
		}
	}
	return nil
}

// Look looks for what has vanished from a repository since the last look, raises the
// horizon where something has, and keeps what is there now.
func (s *Store) Look(ctx context.Context, repo string) error {
	if s.opts.Keep() <= 0 {
		return nil // nothing of the past is kept
	}
	before, err := s.ledger.ReadSeen(ctx, repo)
	if err != nil {
		return err
	}
	began := time.Now()
	now, err := s.namesNow(ctx, repo)
	if err != nil {
		return err
	}
	missing := maps.Clone(before)
	maps.DeleteFunc(missing, func(key ledger.Key, _ bool) bool { return now[key] })
	if len(missing) > 0 {
		if err := s.explain(ctx, repo, missing); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		if err := s.ledger.RaiseHorizon(ctx, repo, began); err != nil {
			return err
		}
	}
	if maps.Equal(before, now) {
		return nil
	}
	return s.ledger.WriteSeen(ctx, repo, now)
}

// explain leaves of what is missing only what has vanished: not what is in the trash, came
// back meanwhile, or was purged meanwhile.
func (s *Store) explain(ctx context.Context, repo string, missing map[ledger.Key]bool) error {
	err := s.ledger.EachKept(ctx, repo, func(e ledger.Entry) error {
		delete(missing, ledger.Key{Kind: e.Kind, Name: e.Name})
		return nil
	})
	if err != nil {
		return err
	}
	for key := range maps.Clone(missing) {
		_, err := s.store.Stat(ctx, ledger.Ref{Repo: repo, Kind: key.Kind, Name: key.Name}.Path())
		if err == nil {
			delete(missing, key)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	still, err := s.ledger.ReadSeen(ctx, repo)
	if err != nil {
		return err
	}
	maps.DeleteFunc(missing, func(key ledger.Key, _ bool) bool { return !still[key] })
	return nil
}

// namesNow are the objects that are there, of the kinds that a look is about.
func (s *Store) namesNow(ctx context.Context, repo string) (map[ledger.Key]bool, error) {
	now := make(map[ledger.Key]bool)
	for _, kind := range ledger.LookedAt {
		err := s.listKind(ctx, repo, kind, func(info fs.FileInfo) error {
			now[ledger.Key{Kind: kind, Name: info.Name()}] = true
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return now, nil
}

// noticeLost raises the horizon over the marks that have no pack any more, which are given
// by pack and time.
func (s *Store) noticeLost(ctx context.Context, repo string, marks map[string]string) error {
	if len(marks) == 0 {
		return nil
	}
	// It may have been moved into the trash meanwhile, or purged, or come back. A mark
	// goes last, so that one that is still there has its pack in one place or the other.
	still, err := s.ledger.MarksOf(ctx, repo)
	if err != nil {
		return err
	}
	maps.DeleteFunc(marks, func(name, _ string) bool { return len(still[name]) == 0 })
	err = s.ledger.EachKept(ctx, repo, func(e ledger.Entry) error {
		if e.Kind == ledger.Data {
			delete(marks, e.Name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	newest := ""
	for name, deleted := range marks {
		_, err := s.store.Stat(ctx, ledger.Ref{Repo: repo, Kind: ledger.Data, Name: name}.Path())
		if errors.Is(err, fs.ErrNotExist) {
			newest = max(newest, deleted)
		} else if err != nil {
			return err
		}
	}
	at, ok := ledger.ParseStamp(newest)
	if newest == "" || !ok {
		return nil
	}
	return s.ledger.RaiseHorizon(ctx, repo, at)
}

// destroyedSpan is the precision of the horizon where nothing is kept: so that not every
// deletion writes it.
const destroyedSpan = 10 * time.Second

// destroy removes an object for good, where nothing is kept, and raises the horizon first.
func (s *Store) destroy(ctx context.Context, o ledger.Ref) error {
	to := time.Now().Truncate(destroyedSpan).Add(destroyedSpan)
	s.seen.mu.Lock()
	raised := !s.seen.horizon[o.Repo].Before(to)
	s.seen.mu.Unlock()
	if !raised {
		if err := s.ledger.RaiseHorizon(ctx, o.Repo, to); err != nil {
			return err
		}
		s.seen.mu.Lock()
		if s.seen.horizon == nil {
			s.seen.horizon = make(map[string]time.Time)
		}
		s.seen.horizon[o.Repo] = to
		s.seen.mu.Unlock()
	}
	return s.removeForGood(ctx, o)
}
