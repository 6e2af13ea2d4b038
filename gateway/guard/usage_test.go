package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// listed is a store that counts its lists, and may fail or delay them.
type listed struct {
	storage.Store

	lists atomic.Int32
	takes time.Duration
	err   error
}

func (l *listed) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	l.lists.Add(1)
	select {
	case <-time.After(l.takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	if l.err != nil {
		return l.err
	}
	return l.Store.List(ctx, dir, fn)
}

// filled is a store under quotas, in which the objects are already.
func filled(t *testing.T, to catalog.Limits, objects map[string]int) (*listed, storage.Store) {
	t.Helper()
	backend := &listed{Store: storetest.NewMem()}
	for name, size := range objects {
		if err := putSized(t, backend, name, size); err != nil {
			t.Fatal(err)
		}
	}
	s := New(destID, true, discard)
	s.limits.set(to)
	return backend, s.Around(backend)
}

func putSized(t *testing.T, s storage.Store, name string, size int) error {
	t.Helper()
	return s.Put(t.Context(), name, int64(size), bytes.NewReader(make([]byte, size)))
}

const (
	ownRepo   = "mail/" + ownUUID
	aliasRepo = "mailserver/" + ownUUID
	srcRepo   = "mail/" + srcUUID
)

func TestFullStoreHasRoomForWhatUnlocksAndPrunesIt(t *testing.T) {
	t.Parallel()
	for quota, to := range map[string]catalog.Limits{
		"of the destination": {Quota: 1000},
		"of every module":    {ModuleQuota: 1000},
		"of this module":     {ModuleQuota: 1 << 40, ModuleQuotas: map[string]int64{ownUUID: 1000}},
	} {
		t.Run(quota, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, s := filled(t, to, map[string]int{ownRepo + "/data/aa/1": 900})
				for kind, want := range map[string]error{
					"data/bb/2": syscall.ENOSPC, "index/2": syscall.ENOSPC, "snapshots/2": syscall.ENOSPC,
					"locks/2": nil, "keys/2": nil, "config": nil,
				} {
					if err := putSized(t, s, ownRepo+"/"+kind, 150); !errors.Is(err, want) {
						t.Errorf("put %s = %v; want %v", kind, err, want)
					}
				}
				if err := s.Remove(t.Context(), ownRepo+"/data/aa/1"); err != nil {
					t.Errorf("Remove: %v", err)
				}
				if err := putSized(t, s, ownRepo+"/data/bb/2", 150); err != nil {
					t.Errorf("put after something was removed: %v", err)
				}
			})
		})
	}
}

func TestQuotaIsNotEvadedUnderTheNamesOfSmallObjects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, s := filled(t, catalog.Limits{Quota: 10 << 20}, nil)
		for _, kind := range []string{"locks/2", "keys/2"} {
			if err := putSized(t, s, ownRepo+"/"+kind, 11<<20); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("put %s of 11 MiB = %v; want %v", kind, err, syscall.ENOSPC)
			}
		}
		// Nor do other modules suffer from one that only says it will send so much.
		announced, done := io.Pipe()
		var uploading sync.WaitGroup
		uploading.Go(func() { _ = s.Put(t.Context(), srcRepo+"/locks/2", math.MaxInt64-1, announced) })
		synctest.Wait()
		if err := putSized(t, s, ownRepo+"/data/aa/1", 1<<20); err != nil {
			t.Errorf("put into a store with room enough = %v", err)
		}
		_ = done.CloseWithError(errors.New("the client left"))
		uploading.Wait()
	})
}

func TestQuotaIsUsedUpToTheLastByte(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		backend, s := filled(t, catalog.Limits{ModuleQuota: 1000}, nil)
		for i := range 10 {
			if err := putSized(t, s, fmt.Sprintf("%s/data/aa/%d", ownRepo, i), 100); err != nil {
				t.Fatalf("put %d: %v", i, err)
			}
		}
		if n := backend.lists.Load(); n != 1 {
			t.Errorf("%d lists for uploads that fit; want 1", n)
		}
		for range 5 {
			if err := putSized(t, s, ownRepo+"/data/aa/more", 1); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("one byte more = %v", err)
			}
		}
		if n := backend.lists.Load(); n != 2 {
			t.Errorf("%d lists after refusals; want one more, to be sure", n)
		}
		if err := putSized(t, s, srcRepo+"/data/aa/0", 100); err != nil {
			t.Errorf("another module: %v", err)
		}
	})
}

func TestUploadsAgainAreCountedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, s := filled(t, catalog.Limits{Quota: 1000}, nil)
		for range 20 {
			if err := putSized(t, s, ownRepo+"/data/aa/same", 300); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestModuleHasOneQuotaForAllItsRepositories(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, s := filled(t, catalog.Limits{ModuleQuota: 1000}, map[string]int{ownRepo + "/data/aa/1": 600})
		if err := putSized(t, s, ownRepo+"/data/aa/2", 100); err != nil {
			t.Errorf("in the first: %v", err)
		}
		if err := putSized(t, s, aliasRepo+"/data/aa/3", 500); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("in the second: %v", err)
		}
	})
}

func TestFailedUploadsAreGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, s := filled(t, catalog.Limits{Quota: 1000, ModuleQuota: 1000}, nil)
		for range 20 {
			err := s.Put(t.Context(), ownRepo+"/data/aa/1", 300, bytes.NewReader(nil))
			if !errors.Is(err, storage.ErrShort) {
				t.Fatalf("Put = %v", err)
			}
		}
	})
}

func TestLongCountHoldsUploadsUpForAWhileOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		backend, s := filled(t, catalog.Limits{Quota: 1000}, map[string]int{ownRepo + "/data/aa/1": 900})
		backend.takes = time.Minute
		start := time.Now()
		for i := range 3 {
			if err := putSized(t, s, fmt.Sprintf("%s/data/bb/%d", ownRepo, i), 50); err != nil {
				t.Errorf("put before the count ended: %v", err)
			}
		}
		if took := time.Since(start); took != countPatience {
			t.Errorf("three uploads were held up for %v; want %v in all", took, countPatience)
		}
		time.Sleep(time.Minute) // of the bubble
		synctest.Wait()
		err := putSized(t, s, ownRepo+"/data/bb/3", 50)
		if !errors.Is(err, storage.ErrUnavailable) && !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("put into a store that turned out to be full = %v", err)
		}
		time.Sleep(20 * time.Minute) // of the bubble
		backend.takes = 0
		if err := putSized(t, s, ownRepo+"/data/bb/3", 50); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("put into a store that was counted full = %v", err)
		}
	})
}

func TestQuotaThatCannotBeCountedRefusesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		backend, s := filled(t, catalog.Limits{Quota: 1000}, map[string]int{ownRepo + "/data/aa/1": 900})
		backend.err = storage.ErrUnavailable
		if err := putSized(t, s, ownRepo+"/data/bb/1", 200); err != nil {
			t.Errorf("put: %v", err)
		}
		if err := putSized(t, s, ownRepo+"/data/bb/2", 1001); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("put of what can never fit = %v", err)
		}
		backend.err = nil
		time.Sleep(countAgain) // of the bubble
		if err := putSized(t, s, ownRepo+"/data/bb/2", 200); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("put after the list works again = %v", err)
		}
	})
}

func TestWithoutQuotaNothingIsListed(t *testing.T) {
	t.Parallel()
	backend, s := filled(t, catalog.Limits{Upload: 1 << 40}, nil)
	if err := putSized(t, s, ownRepo+"/data/aa/1", 100); err != nil {
		t.Fatal(err)
	}
	if n := backend.lists.Load(); n != 0 {
		t.Errorf("%d lists", n)
	}
}

// manyRepos fills a thousand repositories under quotas, uploads times each.
func manyRepos(tb testing.TB, s storage.Store, uploads int) {
	tb.Helper()
	for i := range uploads {
		for repo := range 1000 {
			name := fmt.Sprintf("mail/0b8fbdc4-8d4b-4d1c-9c45-%012d/data/aa/%d", repo, i)
			if err := s.Put(tb.Context(), name, 10, strings.NewReader("0123456789")); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

// TestUsageOfAThousandRepositoriesIsCountedOnce uploads to all of them in turns:
// each is listed at its first upload and never again, and so is the whole.
func TestUsageOfAThousandRepositoriesIsCountedOnce(t *testing.T) {
	t.Parallel()
	backend := &listed{Store: storetest.NewMem()}
	s := New(destID, true, discard)
	s.limits.set(catalog.Limits{Quota: 1 << 20, ModuleQuota: 1 << 10})
	manyRepos(t, s.Around(backend), 5)
	if n := backend.lists.Load(); n != 1001 {
		t.Errorf("%d lists, want one of each and one of all", n)
	}
	if held, counted := s.usage.counted(); held != 1000*5*10 || !counted {
		t.Errorf("held %d, %v", held, counted)
	}
}

// nothing is a store that takes everything and keeps none of it.
type nothing struct{ storage.Store }

func (nothing) Put(context.Context, string, int64, io.Reader) error         { return nil }
func (nothing) List(context.Context, string, func(fs.FileInfo) error) error { return nil }

// BenchmarkQuotas is what an upload costs under quotas of a destination with a
// thousand repositories, beside the storage's own work.
func BenchmarkQuotas(b *testing.B) {
	s := New(destID, true, discard)
	s.limits.set(catalog.Limits{Quota: 1 << 50, ModuleQuota: 1 << 50})
	store := s.Around(nothing{})
	manyRepos(b, store, 1)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		name := fmt.Sprintf("mail/0b8fbdc4-8d4b-4d1c-9c45-%012d/data/aa/%d", i%1000, i)
		if err := store.Put(b.Context(), name, 10, strings.NewReader("0123456789")); err != nil {
			b.Fatal(err)
		}
	}
}
