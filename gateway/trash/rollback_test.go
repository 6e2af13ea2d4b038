package trash

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/expiry/expirytest"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// model is what a repository and its trash must be: for each object, from when to when
// it was there.
type model struct {
	t       *testing.T
	beneath storage.Store
	life    *life // of the process that works on it
	s       *Store
	root    string // of a disk, whose files must have the times of this world
	clock   *expirytest.Hands
	started time.Time
	objects map[string]*history // by path
	purged  time.Time           // the newest deletion of anything that was purged
}

// history of one object: it was received once, as far as anybody can tell.
type history struct {
	object   ledger.Ref
	content  string
	there    bool
	received time.Time // of what is there
	kept     []interval
}

type interval struct {
	received, deleted, expires time.Time
	inPlace                    bool // a pack under a mark
}

const (
	modelKeep  = 5 * time.Hour
	modelMarks = 2 // that are left under their marks
)

// open begins a process.
func (m *model) open() {
	m.life.left = -1
	m.s = New(m.beneath, Options{Keep: func() time.Duration { return modelKeep }, Clock: m.clock.Clock(m.t, filepath.Join(m.t.TempDir(), "clock"))})
	m.s.settleLeast = modelMarks
}

// do does something, and has the process killed before one of its steps where kill is
// true. Then the next process does it again, and what the model says holds after it.
func (m *model) do(random *rand.Rand, kill bool, what func() error) {
	m.t.Helper()
	if kill {
		m.life.left = random.IntN(6)
	}
	err := what()
	if errors.Is(err, errKilled) {
		m.open()
		err = what()
	}
	m.life.left = -1
	if err != nil {
		m.t.Fatal(err)
	}
}

// pass lets time pass, for the clock that expiry is judged by, too.
func (m *model) pass(d time.Duration) {
	time.Sleep(d) // in a bubble of synctest
	m.clock.Pass(d)
}

func (m *model) bucket() bool { return m.root == "" }

func (m *model) save(random *rand.Rand, kind string, n int) {
	m.t.Helper()
	content := fmt.Sprintf("%s %d", kind, n)
	o := objectOf(kind, content)
	m.do(random, random.IntN(4) == 0, func() error {
		return m.s.Put(m.t.Context(), o.Path(), int64(len(content)), strings.NewReader(content))
	})
	h := m.objects[o.Path()]
	if h == nil {
		h = &history{object: o}
		m.objects[o.Path()] = h
	}
	if !m.bucket() && (!h.there || h.content != content) {
		now := time.Now()
		if err := os.Chtimes(filepath.Join(m.root, o.Path()), now, now); err != nil {
			m.t.Fatal(err)
		}
	}
	now := time.Now()
	switch {
	case h.there && h.content == content && kind != ledger.Config:
		return
	case h.there:
		h.kept = append(h.kept, interval{received: h.received, deleted: now, expires: now.Add(modelKeep)})
		h.received = now
	default:
		h.there, h.received = true, now
		if i := slices.IndexFunc(h.kept, func(i interval) bool { return i.inPlace }); i >= 0 {
			h.received = h.kept[i].received // the pack lies where it was
			h.kept = slices.Delete(h.kept, i, i+1)
		}
	}
	h.content = content
}

func (m *model) remove(random *rand.Rand, h *history) {
	m.t.Helper()
	m.do(random, random.IntN(4) == 0, func() error {
		err := m.s.Remove(m.t.Context(), h.object.Path())
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it had been removed before the process was killed
		}
		return err
	})
	m.hasLeft(h)
	m.adopt()
}

// hasLeft notes that an object went into the trash.
func (m *model) hasLeft(h *history) {
	now := time.Now()
	h.there = false
	h.kept = append(h.kept, interval{h.received, now, now.Add(modelKeep), m.bucket() && h.object.Kind == ledger.Data})
}

// adopt takes over what only a kill explains: of one object the trash may have several.
func (m *model) adopt() {
	m.t.Helper()
	got := map[string][]interval{}
	for _, e := range entries(m.t, m.s) {
		path := e.Ref().Path()
		got[path] = append(got[path], interval{e.Received, e.Deleted, e.Expires, e.Marked})
	}
	for path, h := range m.objects {
		for _, i := range got[path] {
			known := func(other interval) bool { return sameMilli(i.received, other.received) }
			if !slices.ContainsFunc(h.kept, known) && (!h.there || !sameMilli(i.received, h.received)) {
				m.t.Fatalf("the trash has %s received at %v; want one of %v", path, i.received, h.kept)
			}
		}
		for _, i := range h.kept {
			if !slices.ContainsFunc(got[path], func(other interval) bool { return sameMilli(i.received, other.received) }) {
				m.t.Fatalf("the trash has lost %s received at %v", path, i.received)
			}
		}
		if len(got[path]) != len(h.kept) {
			h.kept = got[path]
		}
	}
}

func (m *model) purge(random *rand.Rand) {
	m.t.Helper()
	m.do(random, random.IntN(4) == 0, func() error {
		_, err := m.s.Purge(m.t.Context())
		return err
	})
	for _, h := range m.objects {
		h.kept = slices.DeleteFunc(h.kept, func(i interval) bool {
			gone := !i.expires.Add(time.Second - 1).Truncate(time.Second).After(time.Now())
			if gone && i.deleted.After(m.purged) {
				m.purged = i.deleted
			}
			return gone
		})
	}
	m.settle()
}

// settle moves the oldest packs from under their marks, but for as many as may stay. Of
// several that were deleted in one millisecond any may be the oldest.
func (m *model) settle() {
	m.t.Helper()
	var marked []*interval
	for _, h := range m.objects {
		for i := range h.kept {
			if h.kept[i].inPlace {
				marked = append(marked, &h.kept[i])
			}
		}
	}
	slices.SortFunc(marked, func(a, b *interval) int { return a.deleted.Compare(b.deleted) })
	moved := 0
	for i, pack := range marked {
		if i < len(marked)-modelMarks && time.Since(pack.deleted) >= settleAfter {
			moved++
		}
	}
	inPlace := map[string]bool{}
	for _, e := range entries(m.t, m.s) {
		if e.Marked {
			inPlace[fmt.Sprint(e.Received.UnixMilli(), e.Deleted.UnixMilli())] = true
		}
	}
	for i, pack := range marked {
		pack.inPlace = inPlace[fmt.Sprint(pack.received.UnixMilli(), pack.deleted.UnixMilli())]
		if pack.inPlace == (i < moved) && !sameMilli(pack.deleted, marked[max(0, moved-1)].deleted) {
			m.t.Fatalf("of %d packs under marks, pack %d, deleted at %v, stays: %v; %d should go", len(marked), i, pack.deleted, pack.inPlace, moved)
		}
	}
	if len(inPlace) != len(marked)-moved {
		m.t.Fatalf("of %d packs under marks %d stay; want %d", len(marked), len(inPlace), len(marked)-moved)
	}
}

// rollback rolls back, and wants the refusal where the model has one.
func (m *model) rollback(random *rand.Rand, to time.Time) {
	m.t.Helper()
	ctx := m.t.Context()
	refused := to.Before(m.purged.Truncate(time.Second))
	m.do(random, random.IntN(4) == 0, func() error {
		plan, err := m.s.PlanRollback(ctx, repo, to, true)
		if refused {
			if !errors.Is(err, storage.ErrHorizon) {
				m.t.Fatalf("a rollback to %v, before what was purged of %v: %v", to, m.purged, err)
			}
			return nil
		}
		if err != nil {
			return err
		}
		return m.s.Rollback(ctx, repo, plan)
	})
	if refused {
		return
	}
	for _, h := range m.objects {
		was := func(received, deleted time.Time) bool {
			return !later(received, to) && (deleted.IsZero() || later(deleted, to))
		}
		if h.there && was(h.received, time.Time{}) {
			continue
		}
		if h.there {
			m.hasLeft(h)
		}
		for i, kept := range slices.Backward(h.kept) {
			if was(kept.received, kept.deleted) {
				h.there, h.received = true, kept.received
				h.kept = slices.Delete(h.kept, i, i+1)
				// Of a pack that lies under a mark nothing else is to be brought back.
				h.kept = slices.DeleteFunc(h.kept, func(i interval) bool { return i.inPlace })
				break
			}
		}
	}
	m.adopt()
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
			wantKept = append(wantKept, fmt.Sprint(path, " ", i.received.UnixMilli(), " ", i.deleted.UnixMilli(), " ", i.inPlace))
		}
	}
	var got, gotKept []string
	for o, err := range m.s.Objects(m.t.Context(), repo) {
		if err != nil {
			m.t.Fatal(err)
		}
		got = append(got, fmt.Sprint(o.Path(), " ", o.Received.UnixMilli()))
		if h := m.objects[o.Path()]; h == nil || read(m.t, m.s, o.Path()) != h.content {
			m.t.Fatalf("%s has other content", o.Path())
		}
	}
	for _, e := range entries(m.t, m.s) {
		gotKept = append(gotKept, fmt.Sprint(e.Ref().Path(), " ", e.Received.UnixMilli(), " ", e.Deleted.UnixMilli(), " ", e.Marked))
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

// checkPast holds the repository as it was, at a time at random, against the model.
func (m *model) checkPast(random *rand.Rand) {
	m.t.Helper()
	ctx := m.t.Context()
	at := m.started.Add(time.Duration(random.Int64N(int64(time.Since(m.started))))).Truncate(time.Second)
	if !time.Now().After(at.Add(time.Second)) {
		return
	}
	was := m.s.Past(repo, at)
	for _, kind := range []string{ledger.Data, ledger.Index, ledger.Snapshots, ledger.Keys} {
		var got, want []string
		err := was.List(ctx, kind, func(info fs.FileInfo) error {
			got = append(got, info.Name())
			return nil
		})
		if at.Before(m.purged.Truncate(time.Second)) {
			if !errors.Is(err, storage.ErrHorizon) {
				m.t.Fatalf("as it was at %v, before what was purged of %v: %v", at, m.purged, err)
			}
			continue
		}
		if err != nil {
			m.t.Fatal(err)
		}
		for _, h := range m.objects {
			if h.object.Kind != kind {
				continue
			}
			_, err := was.Stat(ctx, kind, h.object.Name)
			there := h.wasThere(at)
			if there != (err == nil) || err != nil && !errors.Is(err, fs.ErrNotExist) {
				m.t.Fatalf("as it was at %v, %s: %v; want it there: %v", at, h.object.Path(), err, there)
			}
			if !there {
				continue
			}
			want = append(want, h.object.Name)
			body, _, err := was.Open(ctx, kind, h.object.Name, 0, -1)
			if err != nil {
				m.t.Fatal(err)
			}
			if err := body.Close(); err != nil {
				m.t.Error(err)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			m.t.Fatalf("as it was at %v it had, of %s,\n%q\nwant\n%q", at, kind, got, want)
		}
	}
}

// wasThere reports whether an object was there at the end of a second.
func (h *history) wasThere(at time.Time) bool {
	if h.there && (h.object.Kind == ledger.Keys || !later(h.received, at)) {
		return true // keys of now open it, too
	}
	return slices.ContainsFunc(h.kept, func(i interval) bool { return !later(i.received, at) && later(i.deleted, at) })
}

// step does one thing at random.
func (m *model) step(random *rand.Rand) {
	kinds := []string{ledger.Data, ledger.Data, ledger.Index, ledger.Snapshots, ledger.Keys}
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
		m.save(random, kinds[random.IntN(len(kinds))], random.IntN(8))
	case n < 7 && len(there) > 0:
		m.remove(random, there[random.IntN(len(there))])
	case n < 8:
		m.purge(random)
	default:
		back := time.Duration(random.Int64N(int64(time.Since(m.started)) + 1))
		m.rollback(random, time.Now().Add(-back).Truncate(time.Second))
	}
}

// TestRandomHistoriesAreAsTheModelSays saves, deletes, purges and rolls back at random,
// and kills the process in the middle of some of it. The seed is all that a failure
// needs to be repeated; times are those of a bubble of synctest, in which hours pass at
// once and receipts, deletions and expiries are exact.
func TestRandomHistoriesAreAsTheModelSays(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"a disk", "a bucket"} {
		for seed := range uint64(30) {
			t.Run(fmt.Sprintf("%s, seed %d", kind, seed), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					alive := &life{-1}
					m := &model{
						t: t, beneath: &mortalBucket{storetest.NewBucket(), alive, 3 * int(seed%2)}, life: alive,
						clock: &expirytest.Hands{Wall: time.Now()}, started: time.Now(), objects: map[string]*history{},
					}
					if kind == "a disk" {
						disk, err := local.Open(dir)
						if err != nil {
							t.Fatal(err)
						}
						m.beneath, m.root = newMortalDisk(disk, alive), dir
					}
					m.open()
					random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test's
					for range 60 {
						m.pass(time.Duration(random.IntN(20*60*1000)+1001) * time.Millisecond)
						m.step(random)
						m.check()
						m.checkPast(random)
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
		config, key := put(t, s, ledger.Config, "a config"), put(t, s, ledger.Keys, "a key")
		put(t, s, ledger.Index, "an index")
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
	s := newStore(t, storetest.NewBucket(), 0)
	if err := s.Rollback(t.Context(), repo, Plan{}); err == nil {
		t.Error("it rolls back, and keeps nothing")
	}
}

func TestARollbackBeforeWhatWasPurgedIsRefused(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, _ storage.Store, s *Store) {
		remove(t, s, put(t, s, ledger.Data, "a pack"))
		if _, err := s.Empty(t.Context(), "", func(*ledger.Entry) bool { return true }); err != nil {
			t.Fatal(err)
		}
		if _, err := s.PlanRollback(t.Context(), repo, time.Now().Add(-time.Hour), false); !errors.Is(err, storage.ErrHorizon) {
			t.Errorf("to an hour ago: %v", err)
		}
		if _, err := s.PlanRollback(t.Context(), repo, time.Now(), false); err != nil {
			t.Errorf("to now: %v", err)
		}
	})
}
