package trash

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// settling returns a store that leaves one pack under its mark.
func settling(tb testing.TB, beneath storage.Store) *Store {
	tb.Helper()
	s := newStore(tb, beneath, 7*24*time.Hour)
	s.settleLeast = 1
	return s
}

// deletePacks saves and deletes so many packs, a second apart, in a bubble of synctest.
func deletePacks(tb testing.TB, s *Store, n int) (names []string) {
	tb.Helper()
	for i := range n {
		name := put(tb, s, ledger.Data, fmt.Sprint("pack ", i))
		time.Sleep(time.Second)
		remove(tb, s, name)
		names = append(names, name)
	}
	return names
}

func TestPacksUnderMarksAreMovedInTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		beneath := storetest.NewBucket()
		s := settling(t, beneath)
		stays := put(t, s, ledger.Data, "a pack that stays")
		names := deletePacks(t, s, 5)
		before := entries(t, s)
		if _, err := s.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := list(t, beneath, ledger.Dir+"/"+repo+"/marks"); len(got) != 5 || s.Due() {
			t.Errorf("an hour has not passed, and of 5 marks there are %d; due: %v", len(got), s.Due())
		}
		time.Sleep(settleAfter)
		if !s.Due() {
			t.Error("after an hour nothing is due")
		}
		if _, err := s.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := list(t, beneath, ledger.Dir+"/"+repo+"/marks"); len(got) != 1 || s.Due() {
			t.Errorf("there are %d marks; want one; due: %v", len(got), s.Due())
		}
		if got := list(t, beneath, repo+"/"+ledger.Data); len(got) != 2 {
			t.Errorf("the bucket has %d packs where they were; want that which stays, and one under a mark", len(got))
		}
		wantSame(t, entries(t, s), before)
		if held := s.Held(); held.Objects != 5 || s.Kept() != held.Bytes*4/5 {
			t.Errorf("it holds %+v, of which no list shows %d", held, s.Kept())
		}
		done, err := s.RestoreAll(t.Context(), entries(t, s))
		if err != nil || done.Objects != 5 {
			t.Fatalf("brought back %+v, %v", done, err)
		}
		for _, name := range append(names, stays) {
			read(t, s, name)
		}
		for o, err := range s.Objects(t.Context(), repo) {
			i := slices.IndexFunc(before, func(e ledger.Entry) bool { return e.Name == o.Name })
			if err != nil || i >= 0 && !sameMilli(o.Received, before[i].Received) {
				t.Errorf("%s was received at %v, %v; want %v", o.Name, o.Received, err, before[i].Received)
			}
		}
	})
}

// wantSame compares entries by all that people see of them.
func wantSame(tb testing.TB, got, want []ledger.Entry) {
	tb.Helper()
	text := func(entries []ledger.Entry) (all []string) {
		for _, e := range entries {
			all = append(all, fmt.Sprint(e.Kind, e.Name, e.Size, e.Received.UnixMilli(), e.Deleted.UnixMicro(), e.Expires.Unix()))
		}
		slices.Sort(all)
		return all
	}
	if !slices.Equal(text(got), text(want)) {
		tb.Errorf("the trash has\n%q\nwant\n%q", text(got), text(want))
	}
}

// TestAGatewayKilledWhileItMovesAPackLosesNothing kills it before each of its steps. At
// once nothing is to be seen of that, and the next one comes to the end.
func TestAGatewayKilledWhileItMovesAPackLosesNothing(t *testing.T) {
	t.Parallel()
	for steps := 0; ; steps++ {
		killed := false
		synctest.Test(t, func(t *testing.T) {
			beneath, l := storetest.NewBucket(), &life{-1}
			s := settling(t, &mortalBucket{beneath, l, 1})
			names := deletePacks(t, s, 3)
			before := entries(t, s)
			time.Sleep(settleAfter)
			l.left = steps
			_, err := s.Purge(t.Context())
			if killed = errors.Is(err, errKilled); err != nil && !killed {
				t.Fatal(err)
			}
			s = settling(t, beneath)
			wantSame(t, entries(t, s), before)
			if got := list(t, s, repo); len(got) != 0 {
				t.Errorf("killed before step %d, the repository lists %v", steps, got)
			}
			if _, err := s.Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantSame(t, entries(t, s), before)
			if got := list(t, beneath, repo+"/"+ledger.Data); len(got) != 1 {
				t.Errorf("killed before step %d, %d packs lie where they were after the next round; want 1", steps, len(got))
			}
			if done, err := s.RestoreAll(t.Context(), entries(t, s)); err != nil || done.Objects != 3 {
				t.Errorf("killed before step %d: brought back %+v, %v", steps, done, err)
			}
			for _, name := range names {
				if _, err := s.Stat(t.Context(), name); err != nil {
					t.Errorf("killed before step %d: %v", steps, err)
				}
			}
		})
		if !killed {
			if steps < 6 {
				t.Errorf("a move has %d steps", steps)
			}
			return
		}
	}
}

// TestAGatewayKilledWhileItMovesAPackIsUndone restores at once what it left.
func TestAGatewayKilledWhileItMovesAPackIsUndone(t *testing.T) {
	t.Parallel()
	for steps := range 8 {
		synctest.Test(t, func(t *testing.T) {
			beneath, l := storetest.NewBucket(), &life{-1}
			s := settling(t, &mortalBucket{beneath, l, 1})
			names := deletePacks(t, s, 3)
			time.Sleep(settleAfter)
			l.left = steps
			if _, err := s.Purge(t.Context()); err != nil && !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			s = settling(t, beneath)
			if done, err := s.RestoreAll(t.Context(), entries(t, s)); err != nil || done.Objects != 3 {
				t.Errorf("killed before step %d: brought back %+v, %v", steps, done, err)
			}
			for _, name := range names {
				read(t, settling(t, beneath), name)
			}
		})
	}
}

// TestAPackThatIsBroughtBackWhileItIsMovedStays has another gateway lift the mark before
// each step of the move.
func TestAPackThatIsBroughtBackWhileItIsMovedStays(t *testing.T) {
	t.Parallel()
	for _, upload := range []bool{true, false} {
		for steps := range 6 {
			synctest.Test(t, func(t *testing.T) {
				beneath := storetest.NewBucket()
				other := settling(t, beneath)
				between := &interrupted{mortalBucket: &mortalBucket{beneath, &life{-1}, 1}, steps: steps}
				s := settling(t, between)
				s.settleLeast = 0
				name := deletePacks(t, s, 1)[0]
				marked := entries(t, s)
				time.Sleep(settleAfter)
				between.do = func() {
					if upload {
						put(t, other, ledger.Data, "pack 0")
						return
					}
					if _, err := other.RestoreAll(t.Context(), marked); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := s.Purge(t.Context()); err != nil {
					t.Fatal(err)
				}
				if !between.done {
					return // there are fewer steps
				}
				for range 2 {
					if got := read(t, settling(t, beneath), name); got != "pack 0" {
						t.Errorf("brought back before step %d, it holds %q", steps, got)
					}
					if got := list(t, settling(t, beneath), repo); len(got) != 1 {
						t.Errorf("brought back before step %d, the repository lists %v", steps, got)
					}
					if _, err := s.Purge(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// interrupted does something once before the step of that number, once there is something
// to do.
type interrupted struct {
	*mortalBucket

	steps int
	do    func()
	done  bool
}

func (i *interrupted) step() {
	if i.do == nil || i.done {
		return
	}
	if i.steps > 0 {
		i.steps--
		return
	}
	i.done = true
	i.do()
}

func (i *interrupted) Copy(ctx context.Context, from, to string) error {
	i.step()
	return i.Bucket.Copy(ctx, from, to)
}

func (i *interrupted) Remove(ctx context.Context, name string) error {
	i.step()
	return i.Bucket.Remove(ctx, name)
}

func (i *interrupted) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	i.step()
	return i.Bucket.Stat(ctx, name)
}

func TestAVersionedBucketKeepsItsPacksUnderMarks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		beneath := &versioned{storetest.NewBucket()}
		s := settling(t, beneath)
		deletePacks(t, s, 3)
		time.Sleep(settleAfter)
		if _, err := s.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := list(t, beneath, ledger.Dir+"/"+repo+"/marks"); len(got) != 3 {
			t.Errorf("%d marks are left; want all 3", len(got))
		}
	})
}

// versioned is a bucket that keeps what is deleted.
type versioned struct{ *storetest.Bucket }

func (versioned) Copies(context.Context) (bool, error) { return false, nil }

func TestARecordOfANodeGoesWithItsSnapshot(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, beneath storage.Store, s *Store) {
		record := func(name string) string {
			o, _ := ledger.ParseRef(name)
			record := storage.NodeReceipt(o.Repo, o.Name)
			if err := s.Put(t.Context(), record, 4, strings.NewReader("node")); err != nil {
				t.Fatal(err)
			}
			return record
		}
		has := func(name string) bool {
			_, err := beneath.Stat(t.Context(), name)
			return err == nil
		}
		gone, again := put(t, s, ledger.Snapshots, "one that goes"), put(t, s, ledger.Snapshots, "one that comes back")
		recordOfGone, recordOfAgain := record(gone), record(again)
		for _, name := range []string{gone, again} {
			remove(t, s, name)
		}
		if !has(recordOfGone) {
			t.Error("the record goes while the snapshot can still come back")
		}
		put(t, s, ledger.Snapshots, "one that comes back")
		if _, err := s.Empty(t.Context(), "", func(*ledger.Entry) bool { return true }); err != nil {
			t.Fatal(err)
		}
		if has(recordOfGone) || !has(recordOfAgain) {
			t.Errorf("after the purge the records are there: %v, %v; want only that of the snapshot that is there", has(recordOfGone), has(recordOfAgain))
		}
		nothing := newStore(t, beneath, 0)
		remove(t, nothing, again)
		if has(recordOfAgain) {
			t.Error("where nothing is kept the record stays")
		}
	})
}
