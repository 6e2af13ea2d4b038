package remote

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// plainBucket is a bucket that knows no conditions, unless refuse answers for them.
type plainBucket struct {
	refuse func(w http.ResponseWriter, r *http.Request) (done bool)

	mu       sync.Mutex
	objects  map[string][]byte
	times    map[string]time.Time
	requests []string
}

func (b *plainBucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests = append(b.requests, r.Method)
	content, there := b.objects[r.URL.Path]
	switch {
	case r.Method == http.MethodPut && r.Header.Get("If-None-Match") != "" && b.refuse != nil && b.refuse(w, r):
	case r.Method == http.MethodPut:
		content, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		b.objects[r.URL.Path], b.times[r.URL.Path] = content, time.Now()
		w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
	case !there:
		w.WriteHeader(http.StatusNotFound)
	default:
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		w.Header().Set("Last-Modified", b.times[r.URL.Path].UTC().Format(http.TimeFormat))
		w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
		if r.Method == http.MethodGet {
			_, _ = w.Write(content)
		}
	}
}

func (b *plainBucket) taken() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	requests := b.requests
	b.requests = nil
	return requests
}

// openPlain opens a store in such a bucket.
func openPlain(t *testing.T, b *plainBucket) *Store {
	t.Helper()
	b.objects, b.times = map[string][]byte{}, map[string]time.Time{}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return open(t, s3Section(server.URL), "bucket")
}

// namedIn returns content of that size, which begins with text, and its name below kind.
func namedIn(kind, text string, size int) (name string, content []byte) {
	content = append([]byte(text), make([]byte, size)...)[:size]
	sum := sha256.Sum256(content)
	return fmt.Sprintf("%s/%s/%x", repo, kind, sum), content
}

func putNew(t *testing.T, s *Store, name string, content []byte) (stayed bool) {
	t.Helper()
	// As it comes from the network: nothing that could be read twice.
	stayed, err := s.PutNew(t.Context(), name, int64(len(content)), struct{ io.Reader }{bytes.NewReader(content)})
	if err != nil {
		t.Fatalf("PutNew(%s): %v", name, err)
	}
	return stayed
}

// TestAnObjectUploadedAgainStaysInOneRequest on a storage that keeps to the condition.
func TestAnObjectUploadedAgainStaysInOneRequest(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	bucket := server.makeBucket(t)
	s := open(t, server.section(), bucket)
	want := func(what string, methods ...string) {
		t.Helper()
		if got := server.taken(); !slices.Equal(got, methods) {
			t.Errorf("%s took %v; want %v", what, got, methods)
		}
	}
	lock, locked := namedIn("locks", "a lock", 160)
	putNew(t, s, lock, locked)
	want("the first small upload, which proves it", "PUT", "PUT")
	if !s.Preserves() {
		t.Fatal("nothing was proven")
	}
	for _, size := range []int{300, 3 << 20} {
		name, content := namedIn("snapshots", "a snapshot", size)
		if putNew(t, s, name, content) {
			t.Error("a new object was there already")
		}
		want("a new object", "PUT")
		file := filepath.Join(server.dir, bucket, name)
		long := time.Now().Add(-time.Hour).Truncate(time.Second)
		if err := os.Chtimes(file, long, long); err != nil {
			t.Fatal(err)
		}
		if !putNew(t, s, name, content) {
			t.Error("an object that was there is said to be new")
		}
		want("one that is there", "PUT", "HEAD", "GET")
		if info, err := s.Stat(t.Context(), name); err != nil || !info.ModTime().Equal(long) {
			t.Errorf("its time is %v, %v; want %v", info, err, long)
		}
		// What is wrong is mended, at the latest by the next attempt.
		if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		err := s.Put(t.Context(), name, int64(size), struct{ io.Reader }{bytes.NewReader(content)})
		if errors.Is(err, storage.ErrUnavailable) {
			err = s.Put(t.Context(), name, int64(size), struct{ io.Reader }{bytes.NewReader(content)})
		}
		if got, errRead := os.ReadFile(file); err != nil || errRead != nil || !bytes.Equal(got, content) {
			t.Errorf("a damaged object of %d bytes is not mended: %v, %v", size, err, errRead)
		}
		// One of another size, too.
		if err := os.WriteFile(file, []byte("short"), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err = s.Put(t.Context(), name, int64(size), struct{ io.Reader }{bytes.NewReader(content)}); err == nil {
				break
			}
		}
		if got, errRead := os.ReadFile(file); err != nil || errRead != nil || !bytes.Equal(got, content) {
			t.Errorf("a truncated object of %d bytes is not mended: %v, %v", size, err, errRead)
		}
		server.taken()
	}
	// A client that sends something else under the name of what is there is not told
	// that all is well.
	name, content := namedIn("index", "an index", 300)
	putNew(t, s, name, content)
	if err := s.Put(t.Context(), name, 300, io.LimitReader(bytes.NewReader(content), 200)); !errors.Is(err, storage.ErrShort) {
		t.Errorf("an upload of what is there that breaks off: %v", err)
	}
}

// TestAnObjectUploadedAgainStaysWhereItIsLookedFor on storages that know no condition.
func TestAnObjectUploadedAgainStaysWhereItIsLookedFor(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"one that ignores it": nil,
		"one that answers 501": func(w http.ResponseWriter, _ *http.Request) bool {
			refuseS3(w, http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented.")
			return true
		},
		"one that answers 400": func(w http.ResponseWriter, _ *http.Request) bool {
			refuseS3(w, http.StatusBadRequest, "InvalidArgument", "Unsupported header 'If-None-Match'")
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &plainBucket{refuse: refuse}
			s := openPlain(t, b)
			for _, size := range []int{160, 300, 3 << 20} {
				name, content := namedIn("index", "an index", size)
				if putNew(t, s, name, content) {
					t.Error("a new object was there already")
				}
				before := b.times["/bucket/"+name]
				b.taken()
				if !putNew(t, s, name, content) {
					t.Error("an object that was there is said to be new")
				}
				if got := b.taken(); !slices.Equal(got, []string{"HEAD", "GET"}) || !b.times["/bucket/"+name].Equal(before) {
					t.Errorf("one that is there took %v, and its time is %v; want %v", got, b.times["/bucket/"+name], before)
				}
				b.objects["/bucket/"+name] = make([]byte, size)
				if putNew(t, s, name, content) || !bytes.Equal(b.objects["/bucket/"+name], content) {
					t.Error("a damaged object is not mended")
				}
			}
			if s.Preserves() {
				t.Error("it is said to keep to the condition")
			}
			b.taken()
			fresh, content := namedIn("data/ab", "a pack", 3<<20)
			putNew(t, s, fresh, content)
			if got := b.taken(); !slices.Equal(got, []string{"HEAD", "PUT"}) {
				t.Errorf("a new object took %v", got)
			}
			lock, locked := namedIn("locks", "a lock", 160)
			putNew(t, s, lock, locked)
			if got := b.taken(); !slices.Equal(got, []string{"PUT"}) {
				t.Errorf("a lock took %v", got)
			}
		})
	}
}

// TestAnUploadBesideAnotherIsRepeated: S3 answers so where two upload one object at once.
func TestAnUploadBesideAnotherIsRepeated(t *testing.T) {
	t.Parallel()
	b := &plainBucket{}
	s := openPlain(t, b)
	b.refuse = func(w http.ResponseWriter, r *http.Request) bool {
		if _, there := b.objects[r.URL.Path]; there {
			refuseS3(w, http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the preconditions you specified did not hold.")
			return true
		}
		return false
	}
	lock, locked := namedIn("locks", "a lock", 160)
	putNew(t, s, lock, locked)
	b.refuse = func(w http.ResponseWriter, _ *http.Request) bool {
		refuseS3(w, http.StatusConflict, "ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting operation against this resource.")
		return true
	}
	name, content := namedIn("index", "an index", 300)
	if err := s.Put(t.Context(), name, 300, bytes.NewReader(content)); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Put: %v; want ErrUnavailable", err)
	}
}

// TestAnObjectUploadedAgainStaysWhereItIsMoved on storages where an upload becomes
// visible by a move, of both kinds.
func TestAnObjectUploadedAgainStaysWhereItIsMoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, map[string]string{"type": "local"}, dir)
	name, content := namedIn("snapshots", "a snapshot", 300)
	if putNew(t, s, name, content) {
		t.Error("a new object was there already")
	}
	long := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(filepath.Join(dir, name), long, long); err != nil {
		t.Fatal(err)
	}
	if !putNew(t, s, name, content) {
		t.Error("an object that was there is said to be new")
	}
	if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.ModTime().Equal(long) {
		t.Errorf("its time is %v, %v; want %v", info.ModTime(), err, long)
	}
	if files, err := os.ReadDir(filepath.Join(dir, path.Dir(name))); err != nil || len(files) != 1 {
		t.Errorf("there are %v, %v; want the one object", files, err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("x", 300)), 0o600); err != nil {
		t.Fatal(err)
	}
	if putNew(t, s, name, content) {
		t.Error("a damaged object stayed")
	}
	if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, content) {
		t.Errorf("a damaged object is not mended: %v", err)
	}
}

// BenchmarkUploadThatReplacesNothing counts the processor time of this process for a
// pack, that of the server within included, with the condition and without it, in turns.
func BenchmarkUploadThatReplacesNothing(b *testing.B) {
	var small atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size, _ := io.Copy(io.Discard, r.Body)
		if size < 1<<10 && small.Add(1) == 2 { // so it is proven that conditions count
			refuseS3(w, http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the preconditions you specified did not hold.")
			return
		}
		w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
	}))
	b.Cleanup(server.Close)
	s, err := Open(b.Context(), "bench", s3Section(server.URL), "bucket", Options{})
	if err != nil {
		b.Fatal(err)
	}
	lock, locked := namedIn("locks", "a lock", 160)
	if err := s.Put(b.Context(), lock, int64(len(locked)), bytes.NewReader(locked)); err != nil || !s.Preserves() {
		b.Fatal("nothing was proven: ", err)
	}
	// Of what lies among the locks nobody needs the time.
	pack, content := namedIn("data/00", "a pack", 16<<20)
	other, _ := namedIn("locks", "a pack", 16<<20)
	spent := map[string]int64{}
	for b.Loop() {
		for name, to := range map[string]string{"with": pack, "without": other} {
			before := cpuTime(b)
			if err := s.Put(b.Context(), to, int64(len(content)), struct{ io.Reader }{bytes.NewReader(content)}); err != nil {
				b.Fatal(err)
			}
			spent[name] += cpuTime(b) - before
		}
	}
	for name, cpu := range spent {
		b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns-"+name+"/op")
	}
	b.ReportMetric(float64(spent["with"])/float64(spent["without"]), "with/without")
}
