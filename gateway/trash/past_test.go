package trash

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// listPast lists one kind of a repository as it was.
func listPast(tb testing.TB, p *Past, kind string) ([]string, error) {
	tb.Helper()
	var names []string
	err := p.List(tb.Context(), kind, func(info fs.FileInfo) error {
		names = append(names, info.Name())
		return nil
	})
	slices.Sort(names)
	return names, err
}

// TestWhatVanishesOutsideOfTheTrashRaisesTheHorizon deletes as another program does.
func TestWhatVanishesOutsideOfTheTrashRaisesTheHorizon(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{ledger.Index, ledger.Snapshots, ledger.Keys, ledger.Config} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, beneath storage.Store, s *Store) {
				stays := put(t, s, ledger.Index, "an index that stays")
				name := put(t, s, kind, "some "+kind)
				if err := s.LookAtChanged(t.Context()); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				remove(t, beneath, name)
				if err := s.Look(t.Context(), repo); err != nil {
					t.Fatal(err)
				}
				horizon, err := s.Horizon(t.Context(), repo)
				if err != nil || horizon.Before(began.Truncate(time.Microsecond)) {
					t.Fatalf("the horizon is %v, %v; want the time of the look, after %v", horizon, err, began)
				}
				if _, err := listPast(t, s.Past(repo, began.Add(-time.Hour)), ledger.Index); !errors.Is(err, storage.ErrHorizon) {
					t.Errorf("as it was an hour ago: %v", err)
				}
				// It is noticed once, by another process too.
				other := newStore(t, beneath, time.Hour)
				if err := other.Look(t.Context(), repo); err != nil {
					t.Fatal(err)
				}
				if again, err := other.Horizon(t.Context(), repo); err != nil || !again.Equal(horizon) {
					t.Errorf("after another look the horizon is %v, %v; want %v", again, err, horizon)
				}
				if got := read(t, s, stays); got != "an index that stays" {
					t.Errorf("what stays holds %q", got)
				}
			})
		})
	}
}

func TestWhatIsDeletedRestoredOrPurgedHereHasNotVanished(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, _ storage.Store, s *Store) {
		back, purged := put(t, s, ledger.Snapshots, "a snapshot that comes back"), put(t, s, ledger.Index, "an index that is purged")
		look := func() {
			t.Helper()
			if err := s.Look(t.Context(), repo); err != nil {
				t.Fatal(err)
			}
		}
		look()
		remove(t, s, back)
		look()
		if _, err := s.RestoreAll(t.Context(), entries(t, s)); err != nil {
			t.Fatal(err)
		}
		look()
		if horizon, err := s.Horizon(t.Context(), repo); err != nil || !horizon.IsZero() {
			t.Fatalf("the horizon is %v, %v; want none", horizon, err)
		}
		remove(t, s, purged)
		deleted := entries(t, s)[0].Deleted
		if _, err := s.Empty(t.Context(), "", func(*ledger.Entry) bool { return true }); err != nil {
			t.Fatal(err)
		}
		look()
		if horizon, err := s.Horizon(t.Context(), repo); err != nil || !horizon.Equal(deleted) {
			t.Errorf("the horizon is %v, %v; want the time of the deletion, %v", horizon, err, deleted)
		}
	})
}

// TestAPackThatVanishesUnderItsMarkRaisesTheHorizon prunes a bucket as plain restic does,
// to which packs under marks are of no use.
func TestAPackThatVanishesUnderItsMarkRaisesTheHorizon(t *testing.T) {
	t.Parallel()
	beneath := storetest.NewMem()
	s := newStore(t, beneath, time.Hour)
	name := put(t, s, ledger.Data, "a pack")
	put(t, s, ledger.Data, "another one")
	remove(t, s, name)
	deleted := entries(t, s)[0].Deleted
	hourAgo := s.Past(repo, time.Now().Add(-time.Hour))
	if _, err := listPast(t, hourAgo, ledger.Data); err != nil {
		t.Fatal(err)
	}
	remove(t, beneath, name)
	if _, err := listPast(t, hourAgo, ledger.Data); !errors.Is(err, storage.ErrHorizon) {
		t.Errorf("as it was an hour ago: %v", err)
	}
	if horizon, err := s.Horizon(t.Context(), repo); err != nil || !horizon.Equal(deleted) {
		t.Errorf("the horizon is %v, %v; want the time of the mark, %v", horizon, err, deleted)
	}
}

func TestWhereNothingIsKeptADeletionRaisesTheHorizon(t *testing.T) {
	t.Parallel()
	for name, beneath := range stores(t) {
		s := newStore(t, beneath, 0)
		for i := range 3 {
			remove(t, s, put(t, s, ledger.Data, fmt.Sprint("pack ", i)))
		}
		horizon, err := s.Horizon(t.Context(), repo)
		if err != nil || horizon.Before(time.Now()) || time.Until(horizon) > destroyedSpan {
			t.Errorf("a store %s has the horizon %v, %v", name, horizon, err)
		}
		if got := list(t, beneath, repo); len(got) != 0 {
			t.Errorf("a store %s holds %v", name, got)
		}
	}
}

func TestATimeThatIsNotOverIsRefused(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, _ storage.Store, s *Store) {
		put(t, s, ledger.Index, "an index")
		if _, err := listPast(t, s.Past(repo, time.Now().Add(time.Minute)), ledger.Index); !errors.Is(err, storage.ErrFuture) {
			t.Errorf("in a minute: %v", err)
		}
	})
}

func TestFewRepositoriesAsTheyWereAreRemembered(t *testing.T) {
	t.Parallel()
	s := newStore(t, storetest.NewMem(), time.Hour)
	first := s.Past(repo, time.Unix(0, 0))
	if s.Past(repo, time.Unix(0, 5)) != first {
		t.Error("it is made again for each request")
	}
	for i := range int64(3 * pastsKept) {
		s.Past(repo, time.Unix(i, 0))
	}
	if n := s.pasts.Len(); n != pastsKept {
		t.Errorf("%d are remembered, want %d", n, pastsKept)
	}
}

// BenchmarkPast compares a list of 100,000 packs with the same list as it was, with a tenth
// of them deleted since, on a disk and in a bucket that has no distance here.
func BenchmarkPast(b *testing.B) {
	const packs = 100_000
	for kind, beneath := range map[string]func(*testing.B) storage.Store{
		"disk":   func(b *testing.B) storage.Store { b.Helper(); return disk(b) },
		"bucket": func(*testing.B) storage.Store { return storetest.NewMem() },
	} {
		b.Run(kind, func(b *testing.B) {
			s := newStore(b, beneath(b), time.Hour)
			for i := range packs {
				if err := s.Put(b.Context(), packName(i), 0, http.NoBody); err != nil {
					b.Fatal(err)
				}
			}
			at := time.Now().Truncate(time.Second)
			for !time.Now().After(at.Add(time.Second)) {
				time.Sleep(10 * time.Millisecond)
			}
			for i := range packs / 10 {
				remove(b, s, packName(i))
			}
			b.Run("as it is", func(b *testing.B) {
				for b.Loop() {
					n := 0
					if err := s.List(b.Context(), repo+"/data", func(fs.FileInfo) error { n++; return nil }); err != nil || n != packs-packs/10 {
						b.Fatal(n, err)
					}
				}
			})
			b.Run("as it was", func(b *testing.B) {
				for b.Loop() {
					n := 0
					if err := s.Past(repo, at).List(b.Context(), ledger.Data, func(fs.FileInfo) error { n++; return nil }); err != nil || n != packs {
						b.Fatal(n, err)
					}
				}
			})
		})
	}
}
