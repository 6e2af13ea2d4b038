//nolint:thelper // these are tests, not helpers: a failure is told with their line
package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

func testAbsentObject(t T, e env) {
	e.wantAbsent(t, blob(Repo, "data", []byte("never put")))
	e.mustPut(t, blob(Repo, "data", []byte("put")), blob(Repo, "locks", []byte("put")))
	e.wantAbsent(t, blob(Repo, "data", []byte("never put")))
	e.wantAbsent(t, blob(Repo, "locks", []byte("never put")))
}

func testAbsentDir(t T, e env) {
	e.wantNoDir(t, Repo+"/snapshots", e.noDirs || e.overHTTP)
}

func testAbsentRepo(t T, e env) {
	const absent = "mymodule/00000000-0000-4000-8000-000000000000"
	e.wantAbsent(t, configOf(absent, nil))
	// Over HTTP, the missing config tells the server that the repository does not exist.
	e.wantNoDir(t, absent+"/data", e.noDirs && !e.overHTTP)
}

func testPut(t T, e env) {
	for _, o := range []object{
		blob(Repo, "data", random(1, 5<<20)),
		blob(Repo, "data", random(2, 64<<10)),
		blob(Repo, "data", random(3, 1)),
		blob(Repo, "data", nil),
		blob(Repo, "keys", []byte("a key")),
		blob(Repo, "locks", []byte("a lock")),
		blob(Repo, "snapshots", []byte("a snapshot")),
		blob(Repo, "index", random(4, 1<<20+1)),
	} {
		e.mustPut(t, o)
		e.wantObject(t, o)
	}
	e.wantObject(t, configOf(Repo, []byte("config of "+Repo)))

	// A body with a WriteTo must be counted too.
	o := blob(Repo, "data", random(5, 300<<10))
	if err := e.store.Put(t.Context(), o.name, o.size(), bytes.NewReader(o.data)); err != nil {
		t.Fatalf("Put(%s) from an io.WriterTo: %v", o.name, err)
	}
	e.wantObject(t, o)
}

func testRanges(t T, e env) {
	const size = 300<<10 + 7
	o := blob(Repo, "data", random(1, size))
	empty := blob(Repo, "data", nil)
	e.mustPut(t, o, empty)
	for _, tt := range []struct {
		name   string
		object object
		off, n int64
		want   []byte
		err    error
	}{
		{"the whole, open", o, 0, -1, o.data, nil},
		{"the whole, closed", o, 0, size, o.data, nil},
		{"the beginning", o, 0, 10, o.data[:10], nil},
		{"the first byte", o, 0, 1, o.data[:1], nil},
		{"the middle", o, 1234, 64 << 10, o.data[1234 : 1234+64<<10], nil},
		{"from the middle, open", o, 200 << 10, -1, o.data[200<<10:], nil},
		{"the last byte, closed", o, size - 1, 1, o.data[size-1:], nil},
		{"the last byte, open", o, size - 1, -1, o.data[size-1:], nil},
		{"more than there is", o, size - 5, 100, o.data[size-5:], nil},
		{"far more than there is", o, 0, size * 100, o.data, nil},
		{"at the end, open", o, size, -1, nil, storage.ErrRange},
		{"at the end, closed", o, size, 1, nil, storage.ErrRange},
		{"behind the end", o, size + 1, 1, nil, storage.ErrRange},
		{"far behind the end", o, 1 << 40, -1, nil, storage.ErrRange},
		{"the whole of an empty object", empty, 0, -1, nil, nil},
		{"behind the end of an empty object", empty, 1, -1, nil, storage.ErrRange},
	} {
		t.Run(tt.name, func(t T) {
			data, size, err := e.read(t.Context(), tt.object.name, tt.off, tt.n)
			if !errors.Is(err, tt.err) || !bytes.Equal(data, tt.want) {
				t.Errorf("Open(%d, %d) = %d bytes, %v; want %d bytes, %v",
					tt.off, tt.n, len(data), err, len(tt.want), tt.err)
			}
			// Beside ErrRange the size may be unknown, but must not be wrong.
			if size != tt.object.size() && (tt.err == nil || size != 0) {
				t.Errorf("Open(%d, %d): size %d; want %d", tt.off, tt.n, size, tt.object.size())
			}
		})
	}
}

func testPutAgain(t T, e env) {
	for _, o := range []object{
		blob(Repo, "data", random(1, 100<<10)),
		blob(Repo, "locks", []byte("a lock")),
		configOf(Repo, []byte("config of "+Repo)),
	} {
		e.mustPut(t, o, o, o)
		e.wantObject(t, o)
	}
}

func testReplace(t T, e env) {
	for _, data := range [][]byte{random(1, 100<<10), []byte("short"), nil, random(2, 1000)} {
		o := configOf(Repo, data)
		e.mustPut(t, o)
		e.wantObject(t, o)
	}
}

// errBody is the failure of a body.
var errBody = errors.New("planned failure of the body")

func testFailingBody(t T, e env) {
	fresh := blob(Repo, "data", random(1, 700<<10))
	small := blob(Repo, "locks", []byte("a lock"))
	old := blob(Repo, "data", random(2, 700<<10))
	for _, tt := range []struct {
		name string
		body func(o object) io.Reader
		want error
	}{
		{"fails at once", func(object) io.Reader { return failing(nil) }, errBody},
		{"fails in the middle", func(o object) io.Reader { return failing(o.data[:o.size()/2]) }, errBody},
		{"fails before its last byte", func(o object) io.Reader { return failing(o.data[:o.size()-1]) }, errBody},
		{"is empty", func(object) io.Reader { return plain(nil) }, nil},
		{"ends in the middle", func(o object) io.Reader { return plain(o.data[:o.size()/2]) }, nil},
		{"ends before its last byte", func(o object) io.Reader { return plain(o.data[:o.size()-1]) }, nil},
		{"is one byte too long", func(o object) io.Reader { return plain(append(bytes.Clone(o.data), 'x')) }, nil},
		{"is far too long", func(o object) io.Reader { return plain(bytes.Repeat(o.data, 3)) }, nil},
	} {
		t.Run(tt.name, func(t T) {
			if e.overHTTP && strings.HasSuffix(tt.name, "too long") {
				t.Skip("a server gets to see no more than the announced length, which is right")
			}
			if err := e.putBeside(t.Context(), old); err != nil {
				t.Fatalf("Put(%s): %v", old.name, err)
			}
			for _, o := range []object{fresh, small, old} {
				err := e.store.Put(t.Context(), o.name, o.size(), tt.body(o))
				if err == nil {
					t.Fatalf("Put(%s) of %d bytes succeeded", o.name, o.size())
				}
				if !e.overHTTP && tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("Put(%s) = %v; want the body's error", o.name, err)
				}
				if errors.Is(err, fs.ErrNotExist) {
					t.Errorf("Put(%s) = %v, which says that something is absent", o.name, err)
				}
			}
			e.wantAbsent(t, fresh)
			e.wantAbsent(t, small)
			e.wantObject(t, old)
			if n := len(e.mustList(t, Repo+"/data")); n != 1 {
				t.Errorf("List has %d objects; want the old one alone", n)
			}
		})
	}
	// A failed Put may be retried.
	e.mustPut(t, fresh, small)
	e.wantObject(t, fresh)
	e.wantObject(t, small)
}

func plain(data []byte) io.Reader { return struct{ io.Reader }{bytes.NewReader(data)} }

func failing(data []byte) io.Reader { return io.MultiReader(plain(data), errReader{}) }

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errBody }

// upload begins to put o, and returns when the first half has been read. finish sends the
// other half and returns the error of Put.
func (e env) upload(t T, o object) (finish func() error) {
	t.Helper()
	half := len(o.data) / 2
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := e.store.Put(t.Context(), o.name, o.size(), r)
		r.CloseWithError(errors.New("put returned"))
		done <- err
	}()
	if _, err := w.Write(o.data[:half]); err != nil {
		t.Fatalf("Put(%s) ended in the middle of its body: %v", o.name, <-done)
	}
	return func() error {
		if _, err := w.Write(o.data[half:]); err == nil {
			w.Close()
		}
		return <-done
	}
}

func testUploadUnderWay(t T, e env) {
	there, o := blob(Repo, "data", []byte("another pack")), blob(Repo, "data", random(1, 1<<20))
	e.mustPut(t, there)
	finish := e.upload(t, o)
	e.wantAbsent(t, o)
	wantList(t, e.mustList(t, Repo+"/data"), []object{there})
	if err := finish(); err != nil {
		t.Fatalf("Put(%s): %v", o.name, err)
	}
	e.wantObject(t, o)
	wantList(t, e.mustList(t, Repo+"/data"), []object{there, o})
}

func testReplacementUnderWay(t T, e env) {
	before, after := configOf(Repo, random(1, 200<<10)), configOf(Repo, random(2, 100<<10))
	e.mustPut(t, before)
	finish := e.upload(t, after)
	e.wantObject(t, before)
	if err := finish(); err != nil {
		t.Fatalf("Put(%s): %v", after.name, err)
	}
	e.wantObject(t, after)
}

func testRemove(t T, e env) {
	gone, stays := blob(Repo, "locks", []byte("one")), blob(Repo, "locks", []byte("another"))
	pack, stray := blob(Repo, "data", random(1, 1000)), blob(Repo, "data", random(2, 1000))
	e.mustPut(t, gone, stays, pack, stray)
	for _, o := range []object{gone, pack} {
		if err := e.store.Remove(t.Context(), o.name); err != nil {
			t.Fatalf("Remove(%s): %v", o.name, err)
		}
		e.wantAbsent(t, o)
	}
	e.wantObject(t, stays)
	e.wantObject(t, stray)
	e.mustPut(t, gone)
	e.wantObject(t, gone)
}

func testRemoveAbsent(t T, e env) {
	e.mustPut(t, blob(Repo, "locks", []byte("present")))
	for _, o := range []object{
		blob(Repo, "locks", []byte("absent")),
		blob(Repo, "data", []byte("absent, as its directory is")),
	} {
		err := e.store.Remove(t.Context(), o.name)
		if !errors.Is(err, fs.ErrNotExist) && (!e.overHTTP && !e.blindRemove || err != nil) {
			t.Errorf("Remove(%s) of an absent object = %v; want fs.ErrNotExist", o.name, err)
		}
	}
}

func testList(t T, e env) {
	count := 400
	if e.few {
		count = 80
	}
	packs, locks := numbered(Repo, "data", count), numbered(Repo, "locks", 20)
	e.mustPut(t, packs...)
	e.mustPut(t, locks...)
	wantList(t, e.mustList(t, Repo+"/data"), packs)
	wantList(t, e.mustList(t, Repo+"/locks"), locks)
	if e.overHTTP {
		return
	}
	all := append(append([]object{configOf(Repo, []byte("config of "+Repo))}, packs...), locks...)
	wantList(t, e.mustList(t, Repo), all)
	wantList(t, e.mustList(t, path.Dir(Repo)), all)
	wantList(t, e.mustList(t, "."), all)
	shard := path.Dir(packs[0].name)
	var inShard []object
	for _, o := range packs {
		if path.Dir(o.name) == shard {
			inShard = append(inShard, o)
		}
	}
	wantList(t, e.mustList(t, shard), inShard)
}

func wantList(t T, got map[string]int64, want []object) {
	t.Helper()
	for _, o := range want {
		if size, ok := got[o.base()]; !ok || size != o.size() {
			t.Fatalf("list has %s: %t, with %d bytes; want %d", o.name, ok, size, o.size())
		}
	}
	if len(got) != len(want) {
		t.Fatalf("list has %d entries; want %d", len(got), len(want))
	}
}

func testListScope(t T, e env) {
	mine := numbered(Repo, "keys", 3)
	e.mustPut(t, mine...)
	e.mustPut(t, numbered(Repo, "locks", 2)...)
	if !e.overHTTP {
		e.mustPut(t, numbered(Repo, "keys2", 2)...)
		e.mustPut(t, numbered(Repo+"2", "keys", 2)...)
		wantList(t, e.mustList(t, Repo+"2"), numbered(Repo+"2", "keys", 2))
	}
	wantList(t, e.mustList(t, Repo+"/keys"), mine)
}

func testListEmptied(t T, e env) {
	o := blob(Repo, "locks", []byte("a lock"))
	e.mustPut(t, o)
	if err := e.store.Remove(t.Context(), o.name); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	// A store may keep or remove the directory of its last object.
	sizes, err := e.list(t.Context(), Repo+"/locks")
	if len(sizes) != 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("List = %d entries, %v; want none", len(sizes), err)
	}
}

func testListFnError(t T, e env) {
	e.mustPut(t, numbered(Repo, "data", 30)...)
	errStop := errors.New("stop")
	calls := 0
	err := e.store.List(t.Context(), Repo+"/data", func(fs.FileInfo) error {
		if calls++; calls == 3 {
			return errStop
		}
		return nil
	})
	if !errors.Is(err, errStop) || calls != 3 {
		t.Errorf("List = %v after %d calls of fn; want the error of the third call", err, calls)
	}
}

// testListVanishing imitates restic's locks: an object that is deleted between the reading
// of its directory and its Stat is not an error.
func testListVanishing(t T, e env) {
	locks := numbered(Repo, "locks", 10)
	e.mustPut(t, locks...)
	first := ""
	err := e.store.List(t.Context(), Repo+"/locks", func(info fs.FileInfo) error {
		if first != "" {
			return nil
		}
		first = info.Name()
		for _, o := range locks {
			if o.base() == first {
				continue
			}
			if err := e.store.Remove(t.Context(), o.name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || first == "" {
		t.Errorf("List while objects are removed = %v", err)
	}
	left := e.mustList(t, Repo+"/locks")
	if _, ok := left[first]; !ok || len(left) != 1 {
		t.Errorf("List afterwards has %v; want %s alone", left, first)
	}
}

func testDirectories(t T, e env) {
	o := blob(Repo, "data", []byte("a pack"))
	e.mustPut(t, o)
	for _, dir := range []string{path.Dir(o.name), Repo + "/data", Repo, path.Dir(Repo)} {
		e.wantAbsentName(t, dir)
		if err := e.store.Remove(t.Context(), dir); err == nil && !e.blindRemove {
			t.Errorf("Remove(%s), a directory, succeeded", dir)
		}
	}
	e.wantObject(t, o)
}

func (e env) wantAbsentName(t T, name string) {
	t.Helper()
	if _, err := e.store.Stat(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat(%s) = %v; want fs.ErrNotExist", name, err)
	}
	if _, _, err := e.read(t.Context(), name, 0, -1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open(%s) = %v; want fs.ErrNotExist", name, err)
	}
}

func testOddNames(t T, e env) {
	for _, dir := range []string{
		"with space", "per%cent%2F%00", "question?and#hash", "plus+and&amp;", "quote'and\"quote",
		"semi;colon,comma=equal", "at@tilde~", "{braces}[brackets]", "grüße-日本", "..dots..x",
		"UPPER", strings.Repeat("l", 200),
	} {
		o := blob("app/"+dir, "data", []byte("in "+dir))
		e.mustPut(t, o)
		e.wantObject(t, o)
		wantList(t, e.mustList(t, "app/"+dir), []object{o})
		if err := e.store.Remove(t.Context(), o.name); err != nil {
			t.Errorf("Remove(%s): %v", o.name, err)
		}
		e.wantAbsent(t, o)
	}
}

func testInvalidNames(t T, e env) {
	ctx := t.Context()
	for _, name := range []string{"", "/", "/abs", "..", "../up", "a/../b", "a/..", "a//b", "a/", "./a", "a/."} {
		_, statErr := e.store.Stat(ctx, name)
		_, _, openErr := e.read(ctx, name, 0, -1)
		for op, err := range map[string]error{
			"Stat":   statErr,
			"Open":   openErr,
			"Put":    e.store.Put(ctx, name, 1, plain([]byte("x"))),
			"Remove": e.store.Remove(ctx, name),
			"List":   e.store.List(ctx, name, func(fs.FileInfo) error { return nil }),
		} {
			if err == nil {
				t.Errorf("%s(%q) succeeded", op, name)
			}
		}
	}
}

func testCancelled(t T, e env) {
	o, absent := blob(Repo, "data", []byte("present")), blob(Repo, "data", []byte("absent"))
	e.mustPut(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, statErr := e.store.Stat(ctx, o.name)
	_, _, openErr := e.read(ctx, o.name, 0, -1)
	for op, err := range map[string]error{
		"Stat":   statErr,
		"Open":   openErr,
		"Put":    e.put(ctx, absent),
		"Remove": e.store.Remove(ctx, o.name),
		"List":   e.store.List(ctx, Repo+"/data", func(fs.FileInfo) error { return nil }),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context = %v; want context.Canceled", op, err)
		}
	}
	e.wantObject(t, o)
	e.wantAbsent(t, absent)
}

func testCancelledUpload(t T, e env) {
	o := blob(Repo, "data", random(1, 4<<20))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	body := io.MultiReader(plain(o.data[:1<<20]), &hook{cancel}, plain(o.data[1<<20:]))
	if err := e.store.Put(ctx, o.name, o.size(), body); !errors.Is(err, context.Canceled) {
		t.Errorf("Put = %v; want context.Canceled", err)
	}
	e.wantAbsent(t, o)
}

// hook is an empty reader that calls fn when it is reached.
type hook struct{ fn func() }

func (h *hook) Read([]byte) (int, error) {
	h.fn()
	return 0, io.EOF
}

func testConcurrentPuts(t T, e env) {
	count := 128
	if e.few {
		count = 24
	}
	objects := numbered(Repo, "data", count)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := i; j < len(objects); j += 16 {
				if err := e.put(t.Context(), objects[j]); err != nil {
					t.Errorf("Put(%s): %v", objects[j].name, err)
				}
				e.wantObject(t, objects[j])
			}
		})
	}
	wg.Wait()
	wantList(t, e.mustList(t, Repo+"/data"), objects)
}

func testConcurrentSame(t T, e env) {
	o := blob(Repo, "data", random(1, 200<<10))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := e.putBeside(t.Context(), o); err != nil {
				t.Errorf("Put: %v", err)
			}
			// After the first Put it must never be absent or partial.
			if !e.seenReplacing {
				e.wantObject(t, o)
			}
		})
	}
	wg.Wait()
	e.wantObject(t, o)
	wantList(t, e.mustList(t, Repo+"/data"), []object{o})
}

func testConcurrentReplace(t T, e env) {
	variants := make([]object, 4)
	for i := range variants {
		variants[i] = configOf(Repo, random(byte(i), 300<<10))
	}
	e.mustPut(t, variants[0])
	var wg sync.WaitGroup
	for _, o := range variants {
		wg.Go(func() {
			for range 5 {
				if err := e.put(t.Context(), o); err != nil {
					t.Errorf("Put: %v", err)
				}
			}
		})
		if e.seenReplacing {
			continue
		}
		wg.Go(func() {
			for range 5 {
				if err := e.wantOneOf(t.Context(), variants); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := e.wantOneOf(t.Context(), variants); err != nil {
		t.Error(err)
	}
}

func (e env) wantOneOf(ctx context.Context, variants []object) error {
	data, size, err := e.read(ctx, variants[0].name, 0, -1)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	for _, o := range variants {
		if size == o.size() && bytes.Equal(data, o.data) {
			return nil
		}
	}
	return fmt.Errorf("read gave %d bytes of size %d that nobody put", len(data), size)
}

// testListWhileChanging wants the unchanged objects in every list, however many others are
// added and deleted meanwhile.
func testListWhileChanging(t T, e env) {
	stable := numbered(Repo, "locks", 20)
	e.mustPut(t, stable...)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			o := blob(Repo, "locks", fmt.Appendf(nil, "passing lock %d", i))
			if err := errors.Join(e.put(t.Context(), o), e.store.Remove(t.Context(), o.name)); err != nil {
				t.Errorf("put and remove a lock: %v", err)
				return
			}
		}
	})
	for range 30 {
		sizes, err := e.list(t.Context(), Repo+"/locks")
		if err != nil {
			t.Errorf("List: %v", err)
			break
		}
		for _, o := range stable {
			if _, ok := sizes[o.base()]; !ok {
				t.Errorf("List lacks %s, which nobody touched", o.name)
			}
		}
	}
	close(done)
	wg.Wait()
}
