package dav_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/dav"
	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

const repo = "traefik/0ab7b5c8-5a0c-4ff0-8ee9-c9d1e8e1b5a1"

// crowd returns a local store that holds n snapshots in one repository.
func crowd(tb testing.TB, n int) *local.Store {
	tb.Helper()
	root := tb.TempDir()
	dir := filepath.Join(root, repo, "snapshots")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%064x", i)), nil, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	store, err := local.Open(root)
	if err != nil {
		tb.Fatal(err)
	}
	return store
}

// sink takes an answer and notes when its first byte came.
type sink struct {
	header http.Header
	code   int
	bytes  int
	first  time.Time
	peak   uint64 // memory in use, where it is asked for
	probe  bool
}

func (s *sink) Header() http.Header { return s.header }
func (s *sink) WriteHeader(c int)   { s.code = c }
func (s *sink) Write(p []byte) (int, error) {
	if s.bytes == 0 {
		s.first = time.Now()
	}
	if s.bytes += len(p); s.probe {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		s.peak = max(s.peak, m.HeapInuse)
	}
	return len(p), nil
}

// Flush implements http.Flusher: on a busy machine an answer may have to break its silence.
func (*sink) Flush() {}

func propfindAll(tb testing.TB, store dav.Store, w *sink) {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), "PROPFIND", "/dest/"+repo+"/snapshots/", nil)
	r.Header.Set("Depth", "1")
	name := repo + "/snapshots"
	if err := dav.NewHandler().Serve(w, r, dav.Target{Store: store, Path: r.URL.Path, Name: name, Collection: true}); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkPropfind is to be read beside BenchmarkRESTList: of the same 100,000
// entries.
func BenchmarkPropfind(b *testing.B) {
	store := crowd(b, 100_000)
	var first time.Duration
	before := testenv.CPUSeconds(b)
	for b.Loop() {
		started := time.Now()
		w := &sink{header: make(http.Header)}
		propfindAll(b, store, w)
		first += w.first.Sub(started)
	}
	b.ReportMetric((testenv.CPUSeconds(b)-before)*1000/float64(b.N), "cpu-ms")
	b.ReportMetric(first.Seconds()*1000/float64(b.N), "ms-to-first-byte")
}

func BenchmarkRESTList(b *testing.B) {
	store := crowd(b, 100_000)
	handler := rest.NewHandler()
	before := testenv.CPUSeconds(b)
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), "GET", "/", nil)
		r.Header.Set("Accept", rest.MediaTypeV2)
		r.Header.Set("Accept-Encoding", "gzip")
		w := &sink{header: make(http.Header)}
		if err := handler.Serve(w, r, rest.Target{Store: store, Repo: repo, Type: object.Snapshots, Operation: operation.List}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((testenv.CPUSeconds(b)-before)*1000/float64(b.N), "cpu-ms")
}

// many is a directory of n entries, which takes no memory itself.
type many struct {
	dav.Store

	n int
}

func (m many) ReadDir(_ context.Context, _ string, fn func(fs.FileInfo) error) error {
	info := manyInfo{name: "."}
	for i := range m.n {
		if err := fn(info); err != nil {
			return err
		}
		info = manyInfo{name: strconv.Itoa(i)}
	}
	return nil
}

type manyInfo struct{ name string }

func (i manyInfo) Name() string       { return i.name }
func (i manyInfo) Size() int64        { return 1 }
func (i manyInfo) Mode() fs.FileMode  { return 0o600 }
func (i manyInfo) ModTime() time.Time { return time.Unix(1e9, 0) }
func (i manyInfo) IsDir() bool        { return i.name == "." }
func (i manyInfo) Sys() any           { return nil }

func TestMemoryOfAListingIsFlat(t *testing.T) {
	store := many{n: 100_000}
	w := &sink{header: make(http.Header), probe: true}
	propfindAll(t, store, w)
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	w = &sink{header: make(http.Header), probe: true}
	propfindAll(t, store, w)
	if grown := int64(w.peak) - int64(before.HeapInuse); grown > 8<<20 {
		t.Errorf("the heap grew by %d bytes for an answer of %d", grown, w.bytes)
	}
	if w.code != http.StatusMultiStatus || w.bytes < 100_000*300 {
		t.Errorf("status %d, %d bytes", w.code, w.bytes)
	}
}
