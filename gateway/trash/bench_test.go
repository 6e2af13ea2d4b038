package trash

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// packName is the name of one of many packs.
func packName(i int) string {
	sum := sha256.Sum256(fmt.Append(nil, i))
	return ledger.Ref{Repo: repo, Kind: ledger.Data, Name: hex.EncodeToString(sum[:])}.Path()
}

// disk is a directory that is synced, as the default one for temporary files may not be.
func disk(b *testing.B) *local.Store {
	b.Helper()
	dir, err := os.MkdirTemp(".", "bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	s, err := local.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkRemove deletes packs on a disk, one that is kept and one that is not in turns,
// and reports the ratio of the medians.
func BenchmarkRemove(b *testing.B) {
	plain := disk(b)
	keeps := newStore(b, plain, time.Hour)
	stores := []storage.Store{keeps, plain}
	took := make([][]time.Duration, len(stores))
	for i := 0; b.Loop(); i++ {
		for j, s := range stores {
			name := packName(len(stores)*i + j)
			if err := s.Put(b.Context(), name, 6, strings.NewReader("a pack")); err != nil {
				b.Fatal(err)
			}
			began := time.Now()
			remove(b, s, name)
			took[j] = append(took[j], time.Since(began))
		}
	}
	var medians [2]float64
	for j := range took {
		slices.Sort(took[j])
		medians[j] = float64(took[j][len(took[j])/2])
	}
	b.ReportMetric(medians[0], "ns/kept")
	b.ReportMetric(medians[1], "ns/deleted")
	b.ReportMetric(medians[0]/medians[1], "ratio")
}

// BenchmarkList compares lists of 100,000 packs in a bucket without and with as many in
// the trash: as they lie under their marks, and after they were moved from there. The
// bucket has no distance here, and lists what is in one directory without a look at the
// others, as buckets do. On a disk a list does not look at the trash.
func BenchmarkList(b *testing.B) {
	const packs = 100_000
	for _, tt := range []struct {
		name             string
		trashed, inPlace int
	}{{"none in the trash", 0, 0}, {"100000 in the trash", packs, packs / settleShare}, {"100000 under marks", packs, packs}} {
		b.Run(tt.name, func(b *testing.B) {
			beneath := newSplit()
			s := newStore(b, beneath, time.Hour)
			for i := range packs + tt.trashed {
				if err := s.Put(b.Context(), packName(i), 0, strings.NewReader("")); err != nil {
					b.Fatal(err)
				}
				if i >= packs {
					remove(b, s, packName(i))
				}
			}
			s = newStore(b, beneath, time.Hour)
			s.settleLeast, s.settleAfter = tt.inPlace, 0
			if err := s.settleRepo(b.Context(), repo); err != nil {
				b.Fatal(err)
			}
			requests := beneath.entries.Load()
			for b.Loop() {
				n := 0
				if err := s.List(b.Context(), repo+"/data", func(fs.FileInfo) error { n++; return nil }); err != nil || n != packs {
					b.Fatal(n, err)
				}
			}
			const page = 1000 // as S3 lists
			b.ReportMetric(float64(beneath.entries.Load()-requests)/page/float64(b.N), "pages/op")
		})
	}
}

// split is a bucket that keeps the trash apart, so that a list of one costs nothing of
// the other. It counts what it lists.
type split struct {
	*storetest.Bucket

	trash   *storetest.Bucket
	entries atomic.Int64
}

func newSplit() *split { return &split{Bucket: storetest.NewBucket(), trash: storetest.NewBucket()} }

func (s *split) of(name string) *storetest.Bucket {
	if isOurs(name) {
		return s.trash
	}
	return s.Bucket
}

func (s *split) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return s.of(name).Stat(ctx, name)
}

func (s *split) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	return s.of(name).Put(ctx, name, size, body)
}

func (s *split) PutNew(ctx context.Context, name string, size int64, body io.Reader) (bool, error) {
	return s.of(name).PutNew(ctx, name, size, body)
}

func (s *split) Remove(ctx context.Context, name string) error { return s.of(name).Remove(ctx, name) }

func (s *split) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	return s.of(dir).List(ctx, dir, func(info fs.FileInfo) error {
		s.entries.Add(1)
		return fn(info)
	})
}

func (s *split) Copy(ctx context.Context, from, to string) error {
	body, size, err := s.of(from).Open(ctx, from, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	return s.of(to).Put(ctx, to, size, body)
}
