package blobcache

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/sizes"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

const repo = "mail/0b7a3c86-41ab-4c38-9a5f-1f4ac4d4c001"

// backend counts how often it is read.
type backend struct {
	sizes.Backend // of what is not asked for here

	mem   *storetest.Mem
	reads atomic.Int32
}

func (b *backend) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return b.mem.Stat(ctx, name)
}

func (b *backend) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	b.reads.Add(1)
	return b.mem.Open(ctx, name, off, n)
}

func (b *backend) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	return b.mem.Put(ctx, name, size, body)
}

func (b *backend) Remove(ctx context.Context, name string) error { return b.mem.Remove(ctx, name) }

func (b *backend) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	return b.mem.List(ctx, dir, fn)
}

// world is a store with a cache in a directory.
type world struct {
	*Store

	t       *testing.T
	backend *backend
	dir     string
}

func newWorld(t *testing.T, most int64) *world {
	t.Helper()
	w := &world{t: t, dir: filepath.Join(t.TempDir(), "cache"), backend: &backend{mem: storetest.NewMem()}}
	w.start(most)
	return w
}

// start is that of a process.
func (w *world) start(most int64) {
	w.t.Helper()
	cache, err := Open(w.dir, most, slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = cache.Close() })
	w.Store = cache.Around(sizes.New(w.backend))
}

// add puts an object onto the storage and has it listed.
func (w *world) add(kind string, size int) (name string, content []byte) {
	w.t.Helper()
	content = make([]byte, size)
	_, _ = rand.Read(content)
	name = fmt.Sprintf("%s/%s/%x", repo, kind, sha256.Sum256(content))
	if err := w.backend.Put(w.t.Context(), name, int64(size), bytes.NewReader(content)); err != nil {
		w.t.Fatal(err)
	}
	w.list(kind)
	return name, content
}

func (w *world) list(kind string) {
	w.t.Helper()
	if err := w.List(w.t.Context(), repo+"/"+kind, func(fs.FileInfo) error { return nil }); err != nil {
		w.t.Fatal(err)
	}
}

// read reads a range, and returns how often the storage was asked.
func (w *world) read(name string, want []byte, off, n int64) (asked int32) {
	w.t.Helper()
	before := w.backend.reads.Load()
	body, size, err := w.Open(w.t.Context(), name, off, n)
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		w.t.Fatal(err)
	}
	if n >= 0 {
		want = want[:off+n]
	}
	if !bytes.Equal(got, want[off:]) || size < int64(len(want)) {
		w.t.Errorf("%d bytes of %s from %d are not those of the object", len(got), name, off)
	}
	return w.backend.reads.Load() - before
}

// file is where an object is kept.
func (w *world) file(name string) string {
	d, _ := kindOf(name)
	return w.cache.path(d)
}

func TestWhatIsReadAgainIsNotAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1<<20)
	for _, kind := range []string{"index", "snapshots", "keys"} {
		name, content := w.add(kind, 10_000)
		if n := w.read(name, content, 0, -1); n != 1 {
			t.Errorf("the first read of %s asked %d times", kind, n)
		}
		asked := w.read(name, content, 0, -1) + w.read(name, content, 5000, -1) + w.read(name, content, 100, 200) + w.read(name, content, 100, 0)
		if asked != 0 {
			t.Errorf("reading %s again asked %d times", kind, asked)
		}
		if _, size, err := w.Open(t.Context(), name, 10_000, -1); !errors.Is(err, storage.ErrRange) || size != 10_000 {
			t.Errorf("a read behind the end of %s: %d, %v", kind, size, err)
		}
		if info, err := os.Stat(w.file(name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}
	if info, err := os.Stat(w.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	for _, kind := range []string{"data", "locks"} {
		name, content := w.add(kind, 1000)
		if w.read(name, content, 0, -1)+w.read(name, content, 0, -1) != 2 {
			t.Errorf("%s is kept", kind)
		}
	}
}

func TestARestartKeepsWhatIsWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1<<20)
	name, content := w.add("index", 10_000)
	w.read(name, content, 0, -1)
	half := filepath.Join(w.dir, tempPrefix+"1")
	if err := os.WriteFile(half, content[:10], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(w.dir, 1<<20, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("two processes use one directory")
	}
	if err := w.cache.Close(); err != nil {
		t.Fatal(err)
	}
	w.start(1 << 20)
	if n := w.read(name, content, 0, -1); n != 1 {
		t.Errorf("asked %d times about what nobody has said to be there", n)
	}
	w.list("index")
	if n := w.read(name, content, 0, -1); n != 0 {
		t.Errorf("asked %d times", n)
	}
	if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was not written to its end is still there: %v", err)
	}
}

func TestWhatIsDamagedOrGoneIsNotServed(t *testing.T) {
	t.Parallel()
	for what, damage := range map[string]func(w *world, file string) error{
		"a bit": func(w *world, file string) error {
			content, err := os.ReadFile(file)
			content[77] ^= 1
			return errors.Join(err, os.WriteFile(file, content, 0o600))
		},
		"the end":  func(_ *world, file string) error { return os.Truncate(file, 10) },
		"the file": func(_ *world, file string) error { return os.Remove(file) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1<<20)
			name, content := w.add("snapshots", 500)
			w.read(name, content, 0, -1)
			if err := damage(w, w.file(name)); err != nil {
				t.Fatal(err)
			}
			if n := w.read(name, content, 0, -1); n != 1 {
				t.Errorf("asked %d times, want once", n)
			}
			if n := w.read(name, content, 0, -1); n != 0 {
				t.Errorf("it is not kept again: asked %d times", n)
			}
		})
	}
}

func TestWhatThisGatewayRemovesIsGoneAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1<<20)
	name, content := w.add("snapshots", 500)
	w.read(name, content, 0, -1)
	if err := w.Remove(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Open(t.Context(), name, 0, -1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open = %v", err)
	}
	if _, err := os.Stat(w.file(name)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its content is still on the disk: %v", err)
	}
}

// TestTheDirectoryIsBounded keeps what was used last.
func TestTheDirectoryIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10*block)
	first, content := w.add("index", 100)
	w.read(first, content, 0, -1)
	for range 20 {
		name, other := w.add("index", block)
		w.read(name, other, 0, -1)
		if n := w.read(first, content, 0, -1); n != 0 {
			t.Fatal("what is used again and again went")
		}
	}
	files, err := filepath.Glob(filepath.Join(w.dir, "??", "*"))
	if err != nil || len(files) != 10 {
		t.Errorf("%d files, %v; want 10", len(files), err)
	}
	large, content := w.add("index", 11*block)
	if w.read(large, content, 0, -1)+w.read(large, content, 0, -1) != 2 {
		t.Error("more is kept than allowed")
	}
}

func TestADirectoryThatTakesNothingCostsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1<<20)
	name, content := w.add("index", 10_000)
	if err := os.RemoveAll(w.dir); err != nil {
		t.Fatal(err)
	}
	if n := w.read(name, content, 0, -1) + w.read(name, content, 0, -1); n != 2 {
		t.Errorf("asked %d times, want twice", n)
	}
}

func TestManyReadAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20*block)
	var names []string
	contents := map[string][]byte{}
	for range 30 {
		name, content := w.add("index", 3000)
		names = append(names, name)
		contents[name] = content
	}
	var readers sync.WaitGroup
	for i := range 8 {
		readers.Go(func() {
			for j := range 100 {
				name := names[(i*7+j*j)%len(names)]
				w.read(name, contents[name], 0, -1)
			}
		})
	}
	readers.Wait()
	if w.cache.size > w.cache.max {
		t.Errorf("%d bytes are kept, of %d", w.cache.size, w.cache.max)
	}
}
