package dav_test

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/dav"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// server answers requests as the gateway does: errors become statuses.
type server struct {
	handler  *dav.Handler
	store    dav.Store
	readOnly bool
}

func newServer(store dav.Store) *server { return &server{handler: dav.NewHandler(), store: store} }

// prefix is where the destination lies.
const prefix = "/dest"

// placeOf makes a layout of "x/y/fixed/…" and of the directory "x/y/frame".
func placeOf(name string) dav.Place {
	parts := strings.SplitN(name, "/", 4)
	switch {
	case len(parts) == 3 && parts[2] == "frame":
		return dav.Frame
	case len(parts) > 2 && (parts[2] == "fixed" || parts[2] == "frame"):
		return dav.Fixed
	}
	return dav.Free
}

func (s *server) serve(t *testing.T, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	name, ok := strings.CutPrefix(r.URL.Path, prefix)
	if !ok {
		t.Fatalf("%s is not below %s", r.URL.Path, prefix)
	}
	target := dav.Target{
		Store: s.store, Destination: "dest", Path: r.URL.Path, Name: storeName(name),
		Collection: strings.HasSuffix(name, "/"), PlaceOf: placeOf, ReadOnly: s.readOnly,
	}
	if to, ok := strings.CutPrefix(r.Header.Get("Destination"), prefix); ok {
		target.To = storeName(to)
	}
	err := s.handler.Serve(w, r, target)
	if err != nil && w.Code == http.StatusOK && w.Body.Len() == 0 {
		w.Code = refusal.Status(err)
		w.Body.WriteString(err.Error())
	} else if err != nil && !errors.Is(err, io.ErrClosedPipe) {
		w.Header().Set("X-Broken-Off", err.Error())
	}
	return w
}

func storeName(path string) string {
	if path = strings.Trim(path, "/"); path == "" {
		return "."
	}
	return path
}

// request is one request of a test; headers come in pairs.
func request(t *testing.T, method, path, body string, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, prefix+path, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// do sends a request and checks its status.
func (s *server) do(t *testing.T, want int, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	w := s.serve(t, request(t, method, path, body, headers...))
	if w.Code != want {
		t.Errorf("%s %s %q answers %d %s; want %d", method, path, headers, w.Code, w.Body, want)
	}
	return w
}

// content checks what is stored under a name; "" stands for nothing.
func content(t *testing.T, store dav.Store, name, want string) {
	t.Helper()
	body, _, err := store.Open(t.Context(), name, 0, -1)
	if want == "" {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v; want it absent", name, err)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v; want %q", name, err, want)
		return
	}
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v; want %q", name, got, err, want)
	}
}

// filled returns a store that holds the objects, each with its name for content.
func filled(t *testing.T, names ...string) *storetest.Mem {
	t.Helper()
	store := storetest.NewMem()
	for _, name := range names {
		if err := store.Put(t.Context(), name, int64(len(name)), strings.NewReader(name)); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

func TestOptionsPretendNoLocks(t *testing.T) {
	t.Parallel()
	s := newServer(filled(t))
	for _, path := range []string{"", "/", "/absent", "/absent/"} {
		w := s.do(t, 200, "OPTIONS", path, "")
		if got := w.Header().Get("Dav"); got != "1" {
			t.Errorf("DAV: %q; want class 1 alone", got)
		}
		if allow := w.Header().Get("Allow"); strings.Contains(allow, "LOCK") || !strings.Contains(allow, "MKCOL") {
			t.Errorf("Allow: %s", allow)
		}
	}
	for _, method := range []string{"LOCK", "UNLOCK", "PROPPATCH", "POST", "PATCH", "REPORT", "ACL", "nonsense"} {
		if w := s.do(t, 405, method, "/x", ""); !strings.Contains(w.Header().Get("Allow"), "PROPFIND") {
			t.Errorf("%s: Allow: %q", method, w.Header().Get("Allow"))
		}
	}
}

func TestReadOnlyChangesNothing(t *testing.T) {
	t.Parallel()
	store := filled(t, "a/b")
	s := newServer(store)
	s.readOnly = true
	for _, method := range []string{"PUT", "DELETE", "MKCOL", "MOVE", "COPY"} {
		if w := s.do(t, 405, method, "/a/b", "x", "Destination", prefix+"/a/c"); w.Header().Get("Allow") != "OPTIONS, GET, HEAD, PROPFIND" {
			t.Errorf("%s: Allow: %q", method, w.Header().Get("Allow"))
		}
	}
	content(t, store, "a/b", "a/b")
	s.do(t, 200, "GET", "/a/b", "")
}
