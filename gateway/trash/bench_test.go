package trash

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// packName is the name of one of many packs.
func packName(i int) string {
	sum := sha256.Sum256(fmt.Append(nil, i))
	return object{repo, Data, hex.EncodeToString(sum[:])}.path()
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

// BenchmarkRemove compares a deletion on a disk with one that is kept.
func BenchmarkRemove(b *testing.B) {
	for name, keep := range map[string]time.Duration{"deleted": 0, "kept": time.Hour} {
		b.Run(name, func(b *testing.B) {
			s := newStore(b, disk(b), keep)
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				if err := s.Put(b.Context(), packName(i), 6, strings.NewReader("a pack")); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				remove(b, s, packName(i))
			}
		})
	}
}

// BenchmarkList compares lists of 100,000 packs in a bucket, which has no distance here,
// without and with as many in the trash. On a disk a list does not look at the trash.
func BenchmarkList(b *testing.B) {
	const packs = 100_000
	for _, trashed := range []int{0, packs} {
		b.Run(fmt.Sprintf("%d in the trash", trashed), func(b *testing.B) {
			s := newStore(b, storetest.NewMem(), time.Hour)
			for i := range packs + trashed {
				if err := s.Put(b.Context(), packName(i), 0, strings.NewReader("")); err != nil {
					b.Fatal(err)
				}
				if i >= packs {
					remove(b, s, packName(i))
				}
			}
			for b.Loop() {
				n := 0
				if err := s.List(b.Context(), repo+"/data", func(fs.FileInfo) error { n++; return nil }); err != nil || n != packs {
					b.Fatal(n, err)
				}
			}
		})
	}
}
