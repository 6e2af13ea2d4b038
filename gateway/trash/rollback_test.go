package trash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// model is what a repository and its trash must be: for each object, from when to when
// it was there.
type model struct {
	t       *testing.T
	s       *Store
	root    string // of a disk, whose files must have the times of this world
	clock   *hands
	started time.Time
	objects map[string]*history // by path
	purged  time.Time           // the newest deletion of anything that was purged
}

// history of one object: it was received once, as far as anybody can tell.
type history struct {
	object   object
	there    bool
	noted    bool      // its receipt is in a note, so that an upload does not renew it
	received time.Time // of what is there
	kept     []interval
}

type interval struct{ received, deleted, expires time.Time }

const modelKeep = 5 * time.Hour

// pass lets time pass, for the clock that expiry is judged by, too.
func (m *model) pass(d time.Duration) {
	time.Sleep(d) // in a bubble of synctest
	m.clock.pass(d)
}

func (m *model) save(kind string, n int) {
	m.t.Helper()
	name := put(m.t, m.s, kind, fmt.Sprintf("%s %d", kind, n))
	if m.root != "" {
		if h := m.objects[name]; h == nil || !h.there {
			now := time.Now()
			if err := os.Chtimes(filepath.Join(m.root, name), now, now); err != nil {
				m.t.Fatal(err)
			}
		}
	}
	h := m.objects[name]
	if h == nil {
		o, _ := parseObject(name)
		h = &history{object: o}
		m.objects[name] = h
	}
	if !h.there {
		h.there, h.received = true, time.Now()
		if m.root == "" && kind == Data {
			h.kept = nil // a pack under a mark lies where it is, and is uploaded again
		}
	} else if m.root == "" && !h.noted {
		h.received = time.Now() // a store that cannot leave an object alone
	}
}

func (m *model) remove(h *history) {
	m.t.Helper()
	remove(m.t, m.s, h.object.path())
	now := time.Now()
	h.there, h.noted = false, false
	h.kept = append(h.kept, interval{h.received, now, now.Add(modelKeep)})
}

func (m *model) purge() {
	m.t.Helper()
	if _, err := m.s.Purge(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	for _, h := range m.objects {
		h.kept = slices.DeleteFunc(h.kept, func(i interval) bool {
			gone := !i.expires.Add(time.Second - 1).Truncate(time.Second).After(time.Now())
			if gone && i.deleted.After(m.purged) {
				m.purged = i.deleted
			}
			return gone
		})
	}
}

// rollback rolls back, and wants the refusal where the model has one.
func (m *model) rollback(to time.Time) {
	m.t.Helper()
	ctx := m.t.Context()
	plan, err := m.s.PlanRollback(ctx, repo, to, true)
	if to.Before(m.purged.Truncate(time.Second)) {
		if !errors.Is(err, ErrHorizon) {
			m.t.Fatalf("a rollback to %v, before what was purged of %v: %v", to, m.purged, err)
		}
		return
	}
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.s.Rollback(ctx, repo, plan); err != nil {
		m.t.Fatal(err)
	}
	now := time.Now()
	for _, h := range m.objects {
		was := func(received, deleted time.Time) bool {
			return !later(received, to) && (deleted.IsZero() || later(deleted, to))
		}
		if h.there && was(h.received, time.Time{}) {
			continue
		}
		if h.there {
			h.there, h.noted = false, false
			h.kept = append(h.kept, interval{h.received, now, now.Add(modelKeep)})
		}
		for i, kept := range slices.Backward(h.kept) {
			if was(kept.received, kept.deleted) {
				h.there, h.received = true, kept.received
				h.noted = m.root == "" && h.object.kind != Data
				h.kept = slices.Delete(h.kept, i, i+1)
				break
			}
		}
	}
}

// check holds lists, receipts, the trash and the horizon against the model.
func (m *model) check() {
	m.t.Helper()
	var want, wantKept []string
	for path, h := range m.objects {
		if h.there {
			want = append(want, fmt.Sprint(path, " ", h.received.UnixMilli()))
		}
		for _, i := range h.kept {
			wantKept = append(wantKept, fmt.Sprint(path, " ", i.received.UnixMilli(), " ", i.deleted.UnixMilli()))
		}
	}
	var got, gotKept []string
	for o, err := range m.s.Objects(m.t.Context(), repo) {
		if err != nil {
			m.t.Fatal(err)
		}
		got = append(got, fmt.Sprint(o.Path(), " ", o.Received.UnixMilli()))
	}
	for _, e := range entries(m.t, m.s) {
		gotKept = append(gotKept, fmt.Sprint(e.object().path(), " ", e.Received.UnixMilli(), " ", e.Deleted.UnixMilli()))
	}
	for _, s := range [][]string{want, got, wantKept, gotKept} {
		slices.Sort(s)
	}
	if !slices.Equal(got, want) {
		m.t.Fatalf("the repository has\n%q\nwant\n%q", got, want)
	}
	if !slices.Equal(gotKept, wantKept) {
		m.t.Fatalf("the trash has\n%q\nwant\n%q", gotKept, wantKept)
	}
	horizon, err := m.s.Horizon(m.t.Context(), repo)
	if err != nil || !horizon.Truncate(time.Millisecond).Equal(m.purged.Truncate(time.Millisecond)) {
		m.t.Fatalf("the horizon is %v, %v; want %v", horizon, err, m.purged)
	}
}

// step does one thing at random.
func (m *model) step(random *rand.Rand) {
	kinds := []string{Data, Index, Snapshots, Keys}
	var there []*history
	var paths []string
	for path, h := range m.objects {
		if h.there {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		there = append(there, m.objects[path])
	}
	switch n := random.IntN(10); {
	case n < 4:
		m.save(kinds[random.IntN(len(kinds))], random.IntN(8))
	case n < 7 && len(there) > 0:
		m.remove(there[random.IntN(len(there))])
	case n < 8:
		m.purge()
	default:
		back := time.Duration(random.Int64N(int64(time.Since(m.started)) + 1))
		m.rollback(time.Now().Add(-back).Truncate(time.Second))
	}
}

func TestRandomHistoriesAreAsTheModelSays(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"a disk", "a bucket"} {
		for seed := range uint64(30) {
			t.Run(fmt.Sprintf("%s, seed %d", kind, seed), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					var beneath storage.Store = storetest.NewMem()
					root := ""
					if kind == "a disk" {
						disk, err := local.Open(dir)
						if err != nil {
							t.Fatal(err)
						}
						beneath, root = disk, dir
					}
					h := &hands{wall: time.Now()}
					s := New(beneath, Options{Keep: func() time.Duration { return modelKeep }, Clock: h.clock(t, "")})
					s.opts.Clock.trusted = time.Now()
					m := &model{t: t, s: s, root: root, clock: h, started: time.Now(), objects: map[string]*history{}}
					random := rand.New(rand.NewPCG(seed, 1))
					for range 60 {
						m.pass(time.Duration(random.IntN(20*60*1000)+1001) * time.Millisecond)
						m.step(random)
						m.check()
					}
				})
			})
		}
	}
}

func TestARollbackLeavesKeysAndConfigAndRemovesLocks(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, _ storage.Store, s *Store) {
		long := time.Now().Add(-time.Hour)
		config, key := put(t, s, Config, "a config"), put(t, s, Keys, "a key")
		put(t, s, Index, "an index")
		lock := put(t, s, "locks", "a lock")
		plan, err := s.PlanRollback(t.Context(), repo, long, false)
		if err != nil || len(plan.Leaving) != 1 || plan.Locks != 1 || len(plan.Returning) != 0 {
			t.Fatalf("the plan is %+v, %v", plan, err)
		}
		if err := s.Rollback(t.Context(), repo, plan); err != nil {
			t.Fatal(err)
		}
		got, want := list(t, s, repo), []string{filepath.Base(config), filepath.Base(key)}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("the repository has %v; want %v; the lock was %s", got, want, lock)
		}
		plan, err = s.PlanRollback(t.Context(), repo, long, true)
		if err != nil || len(plan.Leaving) != 2 {
			t.Errorf("with keys the plan is %+v, %v", plan, err)
		}
	})
}

func TestARollbackNeedsATrash(t *testing.T) {
	t.Parallel()
	s := newStore(t, storetest.NewMem(), 0)
	if err := s.Rollback(t.Context(), repo, Plan{}); err == nil {
		t.Error("it rolls back, and keeps nothing")
	}
}

func TestARollbackBeforeWhatWasPurgedIsRefused(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, _ storage.Store, s *Store) {
		remove(t, s, put(t, s, Data, "a pack"))
		if _, err := s.Empty(t.Context(), "", func(*Entry) bool { return true }); err != nil {
			t.Fatal(err)
		}
		if _, err := s.PlanRollback(t.Context(), repo, time.Now().Add(-time.Hour), false); !errors.Is(err, ErrHorizon) {
			t.Errorf("to an hour ago: %v", err)
		}
		if _, err := s.PlanRollback(t.Context(), repo, time.Now(), false); err != nil {
			t.Errorf("to now: %v", err)
		}
	})
}
