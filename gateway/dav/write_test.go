package dav_test

import (
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

func TestPut(t *testing.T) {
	t.Parallel()
	store := filled(t, "a/there", "x/y/frame/z")
	s := newServer(store)
	s.do(t, 201, "PUT", "/a/new", "content")
	content(t, store, "a/new", "content")
	s.do(t, 201, "PUT", "/a/there", "other")
	content(t, store, "a/there", "other")
	s.do(t, 201, "PUT", "/top", "top")
	s.do(t, 201, "PUT", "/a/empty", "")
	for path, want := range map[string]int{
		"/":               405,
		"/a":              405,
		"/a/":             405,
		"/absent/new":     409,
		"/a/there/below":  409,
		"/x/y/fixed":      403,
		"/x/y/fixed/deep": 403,
		"/x/y/frame":      403,
		"/x/y/frame/new":  403,
	} {
		s.do(t, want, "PUT", path, "bad")
	}
	content(t, store, "a/there", "other")
	content(t, store, "x/y/frame/new", "")
	s.do(t, 400, "PUT", "/a/there", "part", "Content-Range", "bytes 0-3/10")
	content(t, store, "a/there", "other")
	if got := s.do(t, 200, "GET", "/a/new", "").Body.String(); got != "content" {
		t.Errorf("read back: %q", got)
	}
}

func TestPutWithoutLengthStoresNothing(t *testing.T) {
	t.Parallel()
	store := filled(t, "a/there")
	r := request(t, "PUT", "/a/there", "other")
	r.ContentLength = -1
	if w := newServer(store).serve(t, r); w.Code != 411 {
		t.Errorf("answers %d", w.Code)
	}
	content(t, store, "a/there", "a/there")
}

func TestPutThatBreaksOffStoresNothing(t *testing.T) {
	t.Parallel()
	for _, fail := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET} {
		store := filled(t, "a/there")
		r := request(t, "PUT", "/a/there", "")
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader("oth"), failing{fail}))
		r.ContentLength = 5
		if w := newServer(store).serve(t, r); w.Code != 400 {
			t.Errorf("%v: answers %d %s", fail, w.Code, w.Body)
		}
		content(t, store, "a/there", "a/there")
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestFailuresOfTheStoreAreToldApart(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]int{syscall.ENOSPC: 507, syscall.EDQUOT: 507, errBackend: 502} {
		faulty := storetest.NewFaulty(t, filled(t, "a/there"))
		faulty.Plan(storetest.Put, storetest.FailAfter(2, err))
		newServer(faulty).do(t, want, "PUT", "/a/there", "other")
		content(t, faulty, "a/there", "a/there")
	}
	faulty := storetest.NewFaulty(t, filled(t, "a/there"))
	faulty.Plan(storetest.Stat, storetest.Fail(errBackend), storetest.Fail(errBackend))
	newServer(faulty).do(t, 502, "GET", "/a/there", "")
	newServer(faulty).do(t, 502, "DELETE", "/a/there", "")
	faulty.Plan(storetest.Remove, storetest.Fail(errBackend))
	newServer(faulty).do(t, 502, "DELETE", "/a/there", "")
	faulty.Plan(storetest.ReadDir, storetest.Fail(errBackend))
	newServer(faulty).do(t, 502, "PUT", "/a/there", "other")
	content(t, faulty, "a/there", "a/there")
}

func TestMkcol(t *testing.T) {
	t.Parallel()
	store := filled(t, "a/there", "x/y/z")
	s := newServer(store)
	for _, tt := range []struct {
		path, body string
		want       int
	}{
		{"/new", "", 201},
		{"/new", "", 405},
		{"/new/er/", "", 201},
		{"/absent/new", "", 409},
		{"/a/there", "", 405},
		{"/a/there/below", "", 409},
		{"/", "", 405},
		{"/other", "<mkcol/>", 415},
		{"/x/y/frame", "", 201},
		{"/x/y/fixed", "", 403},
		{"/x/y/frame/new", "", 403},
	} {
		s.do(t, tt.want, "MKCOL", tt.path, tt.body)
	}
	s.do(t, 404, "PROPFIND", "/other", "", "Depth", "0")
	s.do(t, 207, "PROPFIND", "/new/er", "", "Depth", "0")
}

func TestDelete(t *testing.T) {
	t.Parallel()
	store := filled(t, "a/one", "a/b/two", "a/b/c/three", "keep", "x/y/fixed/pack", "x/z/note")
	s := newServer(store)
	for path, want := range map[string]int{
		"/absent": 404, "/keep/": 404, "/": 403, "/x": 403, "/x/y": 403, "/x/y/fixed": 403, "/x/y/fixed/pack": 403,
	} {
		s.do(t, want, "DELETE", path, "")
	}
	content(t, store, "x/y/fixed/pack", "x/y/fixed/pack")
	content(t, store, "x/z/note", "x/z/note")
	s.do(t, 400, "DELETE", "/a", "", "Depth", "0")
	s.do(t, 204, "DELETE", "/a/one", "")
	s.do(t, 204, "DELETE", "/a", "", "Depth", "infinity")
	s.do(t, 404, "PROPFIND", "/a", "", "Depth", "0")
	content(t, store, "a/b/c/three", "")
	content(t, store, "keep", "keep")
	s.do(t, 204, "DELETE", "/x/z", "")
}

// TestDeleteThatFailsSaysSo fails in the middle of a tree.
func TestDeleteThatFailsSaysSo(t *testing.T) {
	t.Parallel()
	faulty := storetest.NewFaulty(t, filled(t, "a/b/one", "a/b/two"))
	faulty.Plan(storetest.Remove, storetest.Fail(errBackend).On("a/b/two"))
	s := newServer(faulty)
	s.do(t, 502, "DELETE", "/a", "")
	content(t, faulty, "a/b/two", "a/b/two")
	s.do(t, 204, "DELETE", "/a", "")
}

// TestBucket is what differs where directories are not things of their own.
func TestBucket(t *testing.T) {
	t.Parallel()
	store := bucket{filled(t, "a/b/one")}
	s := newServer(store)
	s.do(t, 201, "MKCOL", "/new", "")
	s.do(t, 404, "PROPFIND", "/new", "", "Depth", "1")
	s.do(t, 201, "PUT", "/new/er/file", "content")
	s.do(t, 207, "PROPFIND", "/new", "", "Depth", "1")
	s.do(t, 405, "MKCOL", "/new", "")
	s.do(t, 412, "PUT", "/new/er/file", "content", "If-None-Match", "*")
	s.do(t, 201, "MOVE", "/new", "", "Destination", prefix+"/newer")
	content(t, store, "newer/er/file", "content")
	content(t, store, "new/er/file", "")
	s.do(t, 204, "DELETE", "/a", "")
	s.do(t, 404, "PROPFIND", "/a", "", "Depth", "0")
}
