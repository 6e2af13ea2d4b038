package trash

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// bulkBucket is a bucket that removes many objects in one request, and notes the requests
// that change or look at one object, or list.
type bulkBucket struct {
	*storetest.Bucket

	most int

	mu       sync.Mutex
	requests []string
}

func newBulkBucket(most int) *bulkBucket {
	return &bulkBucket{Bucket: storetest.NewBucket(), most: most}
}

func (b *bulkBucket) note(method string, names ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	kinds := map[string]bool{}
	for _, name := range names {
		kinds[strings.Split(strings.TrimPrefix(name, ledger.Dir+"/"), "/")[2]] = true
	}
	for kind := range kinds {
		b.requests = append(b.requests, fmt.Sprint(method, " ", kind, " ", len(names)))
	}
}

func (b *bulkBucket) taken() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	requests := b.requests
	b.requests = nil
	return requests
}

func (b *bulkBucket) Bulk() int { return b.most }

func (b *bulkBucket) RemoveAll(ctx context.Context, names []string) error {
	b.note("remove", names...)
	for _, name := range names {
		if err := b.Bucket.Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (b *bulkBucket) Remove(ctx context.Context, name string) error {
	b.note("remove", name)
	return b.Bucket.Remove(ctx, name)
}

func (b *bulkBucket) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	b.note("stat", name)
	return b.Bucket.Stat(ctx, name)
}

// TestAPurgeRemovesManyObjectsInOneRequest where the storage does: snapshots and indexes
// first, packs last, and each pack before its mark.
func TestAPurgeRemovesManyObjectsInOneRequest(t *testing.T) {
	t.Parallel()
	bucket := newBulkBucket(1000)
	s := newStore(t, bucket, time.Hour)
	const each = 40
	var packs []string
	for i := range each {
		for _, kind := range []string{ledger.Data, ledger.Snapshots, ledger.Index} {
			name := put(t, s, kind, fmt.Sprint(kind, " ", i))
			remove(t, s, name)
			if kind == ledger.Data {
				packs = append(packs, name)
			}
		}
	}
	stays := put(t, s, ledger.Data, "a pack that stays")
	byNode := storage.NodeReceipt(repo, objectOf(ledger.Snapshots, "snapshots 3").Name)
	if err := bucket.Put(t.Context(), byNode, 0, strings.NewReader("")); err != nil {
		t.Fatal(err)
	}
	bucket.taken()
	done, err := s.Empty(t.Context(), repo, func(*ledger.Entry) bool { return true })
	if err != nil || done.Objects != 3*each {
		t.Fatalf("purged %+v, %v", done, err)
	}
	if left := entries(t, s); len(left) != 0 {
		t.Errorf("in the trash are still %+v", left)
	}
	if got := list(t, bucket, repo); !slices.Equal(got, []string{path.Base(stays)}) {
		t.Errorf("the repository has %v", got)
	}
	dirs := map[string]bool{}
	for _, name := range packs {
		dirs[path.Dir(name)] = true
	}
	want := []string{
		fmt.Sprint("remove kept ", each), "stat snapshots 1", "remove receipts 1", fmt.Sprint("remove kept ", each),
	}
	got := bucket.taken()
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("the requests are %q; want first %q", got, want)
	}
	if most := len(want) + 2*(len(dirs)/batchDirs+1); len(got) > most {
		t.Errorf("%d requests, want at most %d: %q", len(got), most, got)
	}
	for i, request := range got[len(want):] {
		if kind := []string{"remove data", "remove marks"}[i%2]; !strings.HasPrefix(request, kind) {
			t.Errorf("request %d of the packs is %q, want %q", i, request, kind)
		}
	}
}

// TestAPackThatComesBackElsewhereBeforeItIsPurgedStays: another gateway of the destination
// takes the pack again, or brings it back, between the list of a purge and the deletion.
// The storage keeps its time.
func TestAPackThatComesBackElsewhereBeforeItIsPurgedStays(t *testing.T) {
	t.Parallel()
	for _, most := range []int{1, 1000} {
		for name, comeBack := range map[string]func(t *testing.T, other *Store){
			"uploaded again": func(t *testing.T, other *Store) { t.Helper(); put(t, other, ledger.Data, "a pack") },
			"brought back": func(t *testing.T, other *Store) {
				t.Helper()
				for _, e := range entries(t, other) {
					if e.Ref() != objectOf(ledger.Data, "a pack") {
						continue
					}
					if _, err := other.Restore(t.Context(), e); err != nil {
						t.Fatal(err)
					}
				}
			},
		} {
			t.Run(fmt.Sprintf("%s, %d in one request", name, most), func(t *testing.T) {
				t.Parallel()
				bucket := newBulkBucket(most)
				s, other := newStore(t, bucket, time.Hour), newStore(t, bucket, time.Hour)
				pack := put(t, s, ledger.Data, "a pack")
				remove(t, s, pack)
				remove(t, s, put(t, s, ledger.Data, "another pack"))
				cameBack := false
				s.opts.Pace = func(context.Context) error {
					if !cameBack {
						cameBack = true
						comeBack(t, other)
					}
					return nil
				}
				if _, err := s.Empty(t.Context(), repo, func(*ledger.Entry) bool { return true }); err != nil {
					t.Fatal(err)
				}
				if got := list(t, other, repo); !slices.Equal(got, []string{path.Base(pack)}) {
					t.Errorf("the repository has %v", got)
				}
				if left := entries(t, other); len(left) != 0 {
					t.Errorf("in the trash are %+v", left)
				}
			})
		}
	}
}

// TestAPackThatIsUploadedWhileABatchIsPurgedIsWaitedFor, and the others are not.
func TestAPackThatIsUploadedWhileABatchIsPurgedIsWaitedFor(t *testing.T) {
	t.Parallel()
	bucket := newBulkBucket(1000)
	s := newStore(t, bucket, time.Hour)
	for i := range 3 {
		remove(t, s, put(t, s, ledger.Data, fmt.Sprint("pack ", i)))
	}
	o := objectOf(ledger.Data, "pack 1")
	unlock, locked := s.packs.TryLock(o.Path())
	if !locked {
		t.Fatal("it is being uploaded")
	}
	ended := make(chan error, 1)
	go func() {
		_, err := s.Empty(t.Context(), repo, func(*ledger.Entry) bool { return true })
		ended <- err
	}()
	for len(list(t, bucket, repo)) > 1 {
		select {
		case err := <-ended:
			t.Fatalf("it did not wait: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	unlock()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got := list(t, bucket, repo); len(got) != 0 {
		t.Errorf("the bucket has %v", got)
	}
}
