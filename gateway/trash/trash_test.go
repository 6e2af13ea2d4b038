package trash

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/expiry"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/expiry/expirytest"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

const repo = "notes/0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11"

// stores are the two ways to keep what is removed.
func stores(t *testing.T) map[string]storage.Store {
	t.Helper()
	disk, err := local.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]storage.Store{"that renames": disk, "that copies": storetest.NewBucket()}
}

// onBoth runs a test on a store that renames and on one that does not.
func onBoth(t *testing.T, test func(t *testing.T, beneath storage.Store, s *Store)) {
	t.Helper()
	for name, beneath := range stores(t) {
		t.Run("a store "+name, func(t *testing.T) {
			t.Parallel()
			test(t, beneath, newStore(t, beneath, time.Hour))
		})
	}
}

func newStore(tb testing.TB, beneath storage.Store, keep time.Duration) *Store {
	tb.Helper()
	clock, err := expiry.NewClock(filepath.Join(tb.TempDir(), "clock"), expiry.System())
	if err != nil {
		tb.Fatal(err)
	}
	return New(beneath, Options{Keep: func() time.Duration { return keep }, Clock: clock})
}

// put stores content as an object of that kind and returns its name on the storage.
func put(tb testing.TB, s storage.Store, kind, content string) string {
	tb.Helper()
	o := objectOf(kind, content)
	name := repo + "/locks/" + o.Name
	if kind != "locks" {
		name = o.Path()
	}
	if err := s.Put(tb.Context(), name, int64(len(content)), strings.NewReader(content)); err != nil {
		tb.Fatal(err)
	}
	return name
}

// objectOf is the object of that kind that holds content.
func objectOf(kind, content string) ledger.Ref {
	if kind == ledger.Config {
		return ledger.Ref{Repo: repo, Kind: kind, Name: ledger.Config}
	}
	sum := sha256.Sum256([]byte(content))
	return ledger.Ref{Repo: repo, Kind: kind, Name: hex.EncodeToString(sum[:])}
}

func remove(tb testing.TB, s storage.Store, name string) {
	tb.Helper()
	if err := s.Remove(tb.Context(), name); err != nil {
		tb.Fatal(err)
	}
}

func read(tb testing.TB, s storage.Store, name string) string {
	tb.Helper()
	body, _, err := s.Open(tb.Context(), name, 0, -1)
	if err != nil {
		tb.Fatal(err)
	}
	defer body.Close()
	content, err := io.ReadAll(body)
	if err != nil {
		tb.Fatal(err)
	}
	return string(content)
}

func list(tb testing.TB, s storage.Store, dir string) []string {
	tb.Helper()
	var names []string
	err := s.List(tb.Context(), dir, func(info fs.FileInfo) error {
		names = append(names, info.Name())
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		tb.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func entries(tb testing.TB, s *Store) []ledger.Entry {
	tb.Helper()
	entries, err := s.Entries(tb.Context(), repo)
	if err != nil {
		tb.Fatal(err)
	}
	return entries
}

func TestTheStoreConforms(t *testing.T) {
	t.Parallel()
	t.Run("over one that renames", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, func(t *testing.T) storage.Store {
			t.Helper()
			disk, err := local.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			return newStore(t, disk, time.Hour)
		})
	})
	t.Run("over one that copies", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, func(t *testing.T) storage.Store {
			t.Helper()
			return newStore(t, storetest.NewBucket(), time.Hour)
		}, storetest.BlindRemove())
	})
}

func TestWhatIsRemovedIsKeptAndNotSeen(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, _ storage.Store, s *Store) {
		for _, kind := range ledger.Kinds {
			name := put(t, s, kind, "some "+kind)
			stays := put(t, s, "locks", "a lock of "+kind)
			remove(t, s, name)
			if _, err := s.Stat(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Stat of a removed %s: %v; want fs.ErrNotExist", kind, err)
			}
			if _, _, err := s.Open(t.Context(), name, 0, -1); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Open of a removed %s: %v; want fs.ErrNotExist", kind, err)
			}
			if got := list(t, s, repo); slices.Contains(got, filepath.Base(name)) || !slices.Contains(got, filepath.Base(stays)) {
				t.Errorf("after a %s was removed the repository lists %v", kind, got)
			}
		}
		got := entries(t, s)
		if len(got) != len(ledger.Kinds) {
			t.Fatalf("the trash has %d entries; want one of each kind: %+v", len(got), got)
		}
		for _, e := range got {
			if e.Received.IsZero() || e.Size != int64(len("some "+e.Kind)) || e.Expires.Sub(e.Deleted).Round(time.Second) < time.Hour {
				t.Errorf("an entry is %+v", e)
			}
			if restored, err := s.Restore(t.Context(), e); err != nil || !restored {
				t.Fatalf("Restore(%s) = %v, %v", e.Kind, restored, err)
			}
			if got := read(t, s, e.Ref().Path()); got != "some "+e.Kind {
				t.Errorf("what came back holds %q", got)
			}
			if !slices.Contains(list(t, s, repo), e.Name) {
				t.Errorf("a %s that came back is not listed", e.Kind)
			}
		}
		if left := entries(t, s); len(left) != 0 {
			t.Errorf("what came back is in the trash still: %+v", left)
		}
	})
}

func TestLocksAndOtherFilesAreNotKept(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, beneath storage.Store, s *Store) {
		lock := put(t, s, "locks", "a lock")
		remove(t, s, lock)
		manifest := repo + ".json"
		if err := s.Put(t.Context(), manifest, 2, strings.NewReader("{}")); err != nil {
			t.Fatal(err)
		}
		remove(t, s, manifest)
		if got := list(t, beneath, ledger.Dir); len(got) != 0 {
			t.Errorf("the trash holds %v", got)
		}
	})
}

func TestADestinationThatKeepsNothingDeletes(t *testing.T) {
	t.Parallel()
	for name, beneath := range stores(t) {
		s := newStore(t, beneath, 0)
		remove(t, s, put(t, s, ledger.Data, "a pack"))
		if got := list(t, beneath, "."); len(got) != 1 || !strings.HasPrefix(got[0], "horizon") {
			t.Errorf("a store %s holds %v; want the horizon alone", name, got)
		}
	}
}

func TestNobodyReachesIntoTheTrash(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, beneath storage.Store, s *Store) {
		remove(t, s, put(t, s, ledger.Snapshots, "a snapshot"))
		ctx := t.Context()
		kept := entries(t, s)[0].At
		for _, name := range []string{ledger.Dir, kept, ledger.Dir + "/notes/x/config"} {
			_, errStat := s.Stat(ctx, name)
			_, _, errOpen := s.Open(ctx, name, 0, -1)
			errList := s.List(ctx, name, func(fs.FileInfo) error { return nil })
			errRead := s.ReadDir(ctx, name, func(fs.FileInfo) error { return nil })
			for _, err := range []error{errStat, errOpen, errList, errRead} {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("to read %s: %v; want fs.ErrNotExist", name, err)
				}
			}
			for _, err := range []error{
				s.Put(ctx, name, 0, strings.NewReader("")), s.Remove(ctx, name), s.Mkdir(ctx, name), s.Rmdir(ctx, name),
				s.Rename(ctx, name, "a"), s.Rename(ctx, repo, name), s.Create(ctx, name),
			} {
				if !errors.Is(err, fs.ErrInvalid) {
					t.Errorf("to change %s: %v; want fs.ErrInvalid", name, err)
				}
			}
		}
		if got := list(t, beneath, ledger.Dir); len(got) != 1 {
			t.Errorf("the trash holds %v; want its one entry", got)
		}
		err := s.ReadDir(ctx, ".", func(info fs.FileInfo) error {
			if info.Name() == ledger.Dir {
				t.Error("the root shows the trash")
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if got := list(t, s, "."); len(got) != 0 {
			t.Errorf("the destination lists %v", got)
		}
	})
}

func TestNothingInTheTrashIsCalledConfig(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, beneath storage.Store, s *Store) {
		remove(t, s, put(t, s, ledger.Config, "a config"))
		for _, name := range list(t, beneath, ledger.Dir) {
			if name == "config" || strings.HasSuffix(name, ".json") {
				t.Errorf("the trash holds a file called %s", name)
			}
		}
	})
}

func TestAPackThatIsUploadedAgainIsThere(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, beneath storage.Store, s *Store) {
		name := put(t, s, ledger.Data, "a pack")
		remove(t, s, name)
		put(t, s, ledger.Data, "a pack")
		if got := read(t, s, name); got != "a pack" {
			t.Errorf("it holds %q", got)
		}
		if got := list(t, s, repo); len(got) != 1 {
			t.Errorf("the repository lists %v", got)
		}
		// So it does for another process, which has not seen the mark.
		if got := list(t, newStore(t, beneath, time.Hour), repo); len(got) != 1 {
			t.Errorf("to another process the repository lists %v", got)
		}
	})
}

func TestAPackThatAnotherGatewayUploadsAgainIsThere(t *testing.T) {
	t.Parallel()
	beneath := storetest.NewBucket()
	one, other := newStore(t, beneath, time.Hour), newStore(t, beneath, time.Hour)
	name := put(t, one, ledger.Data, "a pack")
	remove(t, one, name)
	if got := list(t, other, repo); len(got) != 0 {
		t.Errorf("the other one lists %v after it was removed", got)
	}
	stranger := newStore(t, beneath, time.Hour) // has not seen the mark
	put(t, stranger, ledger.Data, "a pack")
	for who, s := range map[string]*Store{"the one that uploaded it": stranger, "another one": newStore(t, beneath, time.Hour)} {
		if got := list(t, s, repo); len(got) != 1 {
			t.Errorf("%s lists %v after it was uploaded again", who, got)
		}
	}
}

func TestAConfigThatIsReplacedIsKept(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, _ storage.Store, s *Store) {
		put(t, s, ledger.Config, "version 1")
		put(t, s, ledger.Config, "version 2")
		got := entries(t, s)
		if len(got) != 1 || got[0].Kind != ledger.Config {
			t.Fatalf("the trash has %+v", got)
		}
		if restored, err := s.Restore(t.Context(), got[0]); err != nil || restored {
			t.Errorf("restored over another one: %v, %v", restored, err)
		}
		remove(t, s, repo+"/config")
		if restored, err := s.Restore(t.Context(), got[0]); err != nil || !restored {
			t.Fatalf("Restore = %v, %v", restored, err)
		}
		if got := read(t, s, repo+"/config"); got != "version 1" {
			t.Errorf("the config is %q", got)
		}
	})
}

func TestOfARepositoryWithoutConfigTheTrashHoldsWhatItIsMadeOf(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, _ storage.Store, s *Store) {
		remove(t, s, put(t, s, ledger.Keys, "the key of an unfinished init"))
		if held, err := s.Holds(t.Context(), repo); held || err != nil {
			t.Errorf("with a key alone: %v, %v", held, err)
		}
		remove(t, s, put(t, s, ledger.Data, "a pack"))
		if held, err := s.Holds(t.Context(), repo); !held || err != nil {
			t.Errorf("with a pack: %v, %v", held, err)
		}
	})
}

func TestAYearAheadEmptiesNothing(t *testing.T) {
	t.Parallel()
	for name, beneath := range stores(t) {
		h := &expirytest.Hands{Wall: time.Now()}
		clock := h.Clock(t, filepath.Join(t.TempDir(), "clock"))
		s := New(beneath, Options{Keep: func() time.Duration { return 7 * 24 * time.Hour }, Clock: clock})
		remove(t, s, put(t, s, ledger.Data, "a pack"))
		h.Wall = h.Wall.AddDate(1, 0, 0)
		for range 23 {
			h.Run(clock, time.Hour)
			if done, err := s.Purge(t.Context()); err != nil || done.Objects != 0 {
				t.Fatalf("a store %s purged %+v, %v", name, done, err)
			}
		}
		h.Run(clock, 2*time.Hour)
		if done, err := s.Purge(t.Context()); err != nil || done.Objects != 1 {
			t.Errorf("after a steady day a store %s purged %+v, %v; want the pack", name, done, err)
		}
	}
}

// recorder notes what is removed from the store beneath.
type recorder struct {
	*storetest.Bucket

	removed []string
}

func (r *recorder) Remove(ctx context.Context, name string) error {
	r.removed = append(r.removed, name)
	return r.Bucket.Remove(ctx, name)
}

func TestPurgeTakesIndexesFirstAndPacksLast(t *testing.T) {
	t.Parallel()
	beneath := &recorder{Bucket: storetest.NewBucket()}
	h := &expirytest.Hands{Wall: time.Now()}
	clock := h.Clock(t, filepath.Join(t.TempDir(), "clock"))
	s := New(beneath, Options{Keep: func() time.Duration { return time.Hour }, Clock: clock})
	for _, kind := range []string{ledger.Data, ledger.Keys, ledger.Snapshots, ledger.Config, ledger.Index} {
		remove(t, s, put(t, s, kind, "some "+kind))
	}
	later := put(t, s, ledger.Snapshots, "removed later")
	if held := s.Held(); held.Objects != 5 {
		t.Errorf("it holds %+v; want 5 objects", held)
	}
	beneath.removed = nil
	h.Run(clock, 2*time.Hour)
	if !s.Due() {
		t.Error("no purge is due")
	}
	done, err := s.Purge(t.Context())
	if err != nil || done.Objects != 5 {
		t.Fatalf("purged %+v, %v; want 5 objects", done, err)
	}
	var kinds []string
	for _, name := range beneath.removed {
		for _, kind := range ledger.Kinds {
			if strings.Contains(name, "/"+kind+"_") || kind == ledger.Data && strings.HasPrefix(name, repo+"/data/") {
				kinds = append(kinds, kind)
			}
		}
	}
	if want := []string{ledger.Index, ledger.Snapshots, ledger.Keys, ledger.Config, ledger.Data, ledger.Data}; !slices.Equal(kinds, want) {
		t.Errorf("it removed %v; want %v", kinds, want)
	}
	if held := s.Held(); held.Objects != 0 || held.Bytes != 0 || s.Due() {
		t.Errorf("it holds %+v, and is due: %v", held, s.Due())
	}
	if got := list(t, s, repo); !slices.Equal(got, []string{filepath.Base(later)}) {
		t.Errorf("the repository lists %v", got)
	}
	horizon, err := s.Horizon(t.Context(), repo)
	if err != nil || horizon.After(time.Now()) || time.Since(horizon) > time.Minute {
		t.Errorf("the horizon is %v, %v; want the time of the deletions", horizon, err)
	}
}

func TestPurgeLeavesAPackThatWasUploadedAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, beneath storage.Store, s *Store) {
		name := put(t, s, ledger.Data, "a pack")
		remove(t, s, name)
		// Another gateway uploads it.
		put(t, newStore(t, beneath, time.Hour), ledger.Data, "a pack")
		if _, err := s.Empty(t.Context(), "", func(*ledger.Entry) bool { return true }); err != nil {
			t.Fatal(err)
		}
		if got := read(t, newStore(t, beneath, time.Hour), name); got != "a pack" {
			t.Errorf("it holds %q", got)
		}
	})
}

func TestWhatComesBackKeepsItsFirstReceipt(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, beneath storage.Store, s *Store) {
		for _, kind := range []string{ledger.Data, ledger.Snapshots} {
			put(t, s, kind, "some "+kind)
		}
		before := receipts(t, s)
		for range 2 {
			for _, kind := range []string{ledger.Data, ledger.Snapshots} {
				o := before[kind]
				remove(t, s, o.Path())
			}
			for _, e := range entries(t, s) {
				if !sameMilli(e.Received, before[e.Kind].Received) {
					t.Errorf("in the trash a %s was received at %v; want %v", e.Kind, e.Received, before[e.Kind].Received)
				}
				if restored, err := s.Restore(t.Context(), e); err != nil || !restored {
					t.Fatal(restored, err)
				}
			}
		}
		for kind, o := range receipts(t, s) {
			if !sameMilli(o.Received, before[kind].Received) {
				t.Errorf("a %s that came back was received at %v; want %v", kind, o.Received, before[kind].Received)
			}
		}
	})
}

func TestAListTellsWhenWhatCameBackWasReceivedFirst(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, beneath storage.Store, s *Store) {
		name := put(t, s, ledger.Snapshots, "a snapshot")
		first, err := s.Stat(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		remove(t, s, name)
		for _, e := range entries(t, s) {
			if restored, err := s.Restore(t.Context(), e); err != nil || !restored {
				t.Fatal(restored, err)
			}
		}
		for what, list := range map[string]func(context.Context, string, func(fs.FileInfo) error) error{"List": s.List, "ReadDir": s.ReadDir} {
			found := 0
			err := list(t.Context(), repo+"/snapshots", func(info fs.FileInfo) error {
				if info.IsDir() { // ReadDir has the directory itself
					return nil
				}
				found++
				if !sameMilli(info.ModTime(), first.ModTime()) {
					t.Errorf("%s says that it was received at %v; want %v", what, info.ModTime(), first.ModTime())
				}
				return nil
			})
			if err != nil || found != 1 {
				t.Errorf("%s: found %d, %v", what, found, err)
			}
		}
	})
}

func TestAListReadsNotesOnlyForWhoAsksForTimes(t *testing.T) {
	t.Parallel()
	beneath := storetest.NewFaulty(t, storetest.NewBucket())
	s := newStore(t, beneath, time.Hour)
	put(t, s, ledger.Snapshots, "a snapshot")
	list(t, s, repo+"/snapshots")
	errPlanned := errors.New("planned")
	beneath.Plan(storetest.List, storetest.Fail(errPlanned).On(ledger.Dir+"/"+repo+"/notes"))
	list(t, s, repo+"/snapshots")
	err := s.List(t.Context(), repo+"/snapshots", func(info fs.FileInfo) error {
		_ = info.ModTime()
		return nil
	})
	if !errors.Is(err, errPlanned) {
		t.Errorf("a list of which the notes cannot be read ends with %v", err)
	}
}

func sameMilli(a, b time.Time) bool {
	return a.Truncate(time.Millisecond).Equal(b.Truncate(time.Millisecond))
}

// receipts returns the objects of the repository by kind.
func receipts(tb testing.TB, s *Store) map[string]Object {
	tb.Helper()
	objects := map[string]Object{}
	for o, err := range s.Objects(tb.Context(), repo) {
		if err != nil {
			tb.Fatal(err)
		}
		objects[o.Kind] = o
	}
	return objects
}

func TestAnUploadThatFailsLeavesTheMark(t *testing.T) {
	t.Parallel()
	beneath := storetest.NewFaulty(t, storetest.NewBucket())
	s := newStore(t, beneath, time.Hour)
	name := put(t, s, ledger.Data, "a pack")
	remove(t, s, name)
	broken := errors.New("broken")
	beneath.Plan(storetest.Put, storetest.Fail(broken).On(name))
	if err := s.Put(t.Context(), name, 6, bytes.NewReader([]byte("a pack"))); !errors.Is(err, broken) {
		t.Fatalf("Put: %v", err)
	}
	if got := list(t, s, repo); len(got) != 0 {
		t.Errorf("the repository lists %v", got)
	}
	// A mark that cannot be made is an error, and the pack is there.
	other := put(t, s, ledger.Data, "another pack")
	beneath.Plan(storetest.Put, storetest.Fail(broken))
	if err := s.Remove(t.Context(), other); !errors.Is(err, broken) {
		t.Errorf("Remove: %v", err)
	}
	if got := list(t, s, repo); !slices.Equal(got, []string{filepath.Base(other)}) {
		t.Errorf("the repository lists %v", got)
	}
}
