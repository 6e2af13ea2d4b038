//go:build unix

package local

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cpu makes a benchmark report the processor time of this process, user and
// system, per operation: with a disk below, time on the clock says little.
func cpu(b *testing.B) {
	b.Helper()
	start := cpuTime(b)
	b.Cleanup(func() {
		b.ReportMetric(float64(cpuTime(b)-start)/float64(b.N), "cpu-ns/op")
	})
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// packName is the name of the i-th object of a benchmark.
func packName(i int) string {
	sum := sha256.Sum256(fmt.Append(nil, i))
	id := hex.EncodeToString(sum[:])
	return path.Join("app/uuid/data", id[:2], id)
}

var sizes = []struct {
	name string
	size int64
}{{"64KiB", 64 << 10}, {"16MiB", 16 << 20}}

func BenchmarkPut(b *testing.B) {
	for _, bb := range sizes {
		b.Run(bb.name, func(b *testing.B) {
			s := open(b)
			data := make([]byte, bb.size)
			b.SetBytes(bb.size)
			cpu(b)
			for i := 0; b.Loop(); i++ {
				body := struct{ io.Reader }{bytes.NewReader(data)}
				if err := s.Put(b.Context(), packName(i%256), bb.size, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, bb := range sizes {
		b.Run(bb.name, func(b *testing.B) {
			s := open(b)
			put(b, s, packName(0), make([]byte, bb.size))
			b.SetBytes(bb.size)
			cpu(b)
			for b.Loop() {
				body, size, err := s.Open(b.Context(), packName(0), 0, -1)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.CopyN(io.Discard, body, size); err != nil {
					b.Fatal(err)
				}
				body.Close()
			}
		})
	}
}

func BenchmarkStat(b *testing.B) {
	s := open(b)
	name := packName(0)
	put(b, s, name, []byte("pack"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Stat(b.Context(), name); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList100000(b *testing.B) {
	s := open(b)
	s.fsync = func(int) error { return nil } // to make the tree in reasonable time
	for i := range 100_000 {
		put(b, s, packName(i), nil)
	}
	b.ReportAllocs()
	cpu(b)
	for b.Loop() {
		n := 0
		err := s.List(b.Context(), "app/uuid/data", func(fs.FileInfo) error { n++; return nil })
		if err != nil || n != 100_000 {
			b.Fatal(n, err)
		}
	}
}
