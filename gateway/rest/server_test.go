package rest_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

const (
	repo = "traefik/0ab7b5c8-5a0c-4ff0-8ee9-c9d1e8e1b5a1"
	base = "/" + repo + "/"
)

// nameOf is the name of an object of that content.
func nameOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// sealed is content with as many bytes more as restic's encryption adds.
func sealed(content string) string { return content + strings.Repeat("=", 34) }

// server is a Handler behind the thinnest of gateways: no users, one destination.
type server struct {
	*httptest.Server
	store   storage.Store
	node    bool // the caller may do what nodes may
	trash   rest.Trash
	meter   rest.Meter
	handler *rest.Handler
	aborted chan error // why responses were broken off
}

func serve(t *testing.T, store storage.Store) *server {
	t.Helper()
	s := &server{store: store, aborted: make(chan error, 16)}
	s.handler = rest.NewHandler()
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// asked returns the target with what r asks of it.
func asked(r *http.Request, t rest.Target) rest.Target {
	t.Operation = rest.OperationOf(r.Method, t.Type, t.Name, false)
	return t
}

// target is what the URL of r stands for.
func (s *server) target(r *http.Request) (rest.Target, bool) {
	repo, typ, name, ok := object.Parse(strings.TrimPrefix(r.URL.Path, "/"))
	return rest.Target{
		Store:         s.store,
		Destination:   "d",
		Repo:          repo,
		Type:          typ,
		Name:          name,
		Operation:     rest.OperationOf(r.Method, typ, name, r.URL.Query().Get("create") == "true"),
		ReplaceConfig: s.node,
		AddKey:        s.node,
		Trash:         s.trash,
		Meter:         s.meter,
	}, ok
}

// ServeHTTP turns errors into the protocol's statuses.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target, ok := s.target(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	answer := &answer{ResponseWriter: w}
	switch err := s.handler.Serve(answer, r, target); {
	case err == nil:
	case answer.begun:
		s.aborted <- err
		panic(http.ErrAbortHandler)
	default:
		http.Error(w, err.Error(), statusOf(err))
	}
}

// answer notes whether a response has begun.
type answer struct {
	http.ResponseWriter
	begun bool
}

func (a *answer) WriteHeader(code int) {
	a.begun = true
	a.ResponseWriter.WriteHeader(code)
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func statusOf(err error) int {
	for _, row := range []struct {
		err    error
		status int
	}{
		{refusal.ErrForbidden, 403},
		{refusal.ErrScope, 403},
		{refusal.ErrRate, 429},
		{refusal.ErrMethod, 405},
		{refusal.ErrLength, 411},
		{storage.ErrCorrupt, 400},
		{storage.ErrShort, 400},
		{fs.ErrInvalid, 400},
		{storage.ErrRange, 416},
		{storage.ErrUnavailable, 503},
		{fs.ErrNotExist, 404},
	} {
		if errors.Is(err, row.err) {
			return row.status
		}
	}
	return 502
}

// call is a request and what it must be answered with.
type call struct {
	about  string
	method string
	path   string // below the repository
	header map[string]string
	body   string

	status int
	want   map[string]string // headers; "" for one that must be absent
	text   *string           // the body, where it matters
}

// run sends the calls in their order.
func (s *server) run(t *testing.T, calls []call) {
	t.Helper()
	for _, c := range calls {
		resp := s.send(t, c)
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Errorf("%s: %s %s: %v", c.about, c.method, c.path, err)
			continue
		}
		if resp.StatusCode != c.status {
			t.Errorf("%s: %s %s: status %d, want %d; %s", c.about, c.method, c.path, resp.StatusCode, c.status, got)
		}
		for key, want := range c.want {
			if have := strings.Join(resp.Header[key], "; "); have != want {
				t.Errorf("%s: %s %s: %s is %q, want %q", c.about, c.method, c.path, key, have, want)
			}
		}
		if c.text != nil && string(got) != *c.text {
			t.Errorf("%s: %s %s: body %.200q, want %.200q", c.about, c.method, c.path, got, *c.text)
		}
	}
}

func (s *server) send(t *testing.T, c call) *http.Response {
	t.Helper()
	var body io.Reader
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(t.Context(), c.method, s.URL+base+c.path, body)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range c.header {
		req.Header.Set(key, value)
	}
	resp, err := s.Client().Transport.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s: %s %s: %v", c.about, c.method, c.path, err)
	}
	return resp
}

// raw sends one request byte by byte as given, and returns all that the server
// sends until it closes the connection.
func (s *server) raw(t *testing.T, request string) string {
	t.Helper()
	conn := s.dial(t)
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil && len(answer) == 0 {
		t.Fatal(err)
	}
	return string(answer)
}

func (s *server) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// readHead reads the status line and the headers of an answer.
func readHead(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	var head strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", head.String(), err)
		}
		if line == "\r\n" {
			return head.String()
		}
		head.WriteString(line)
	}
}

// newRepo returns a store that holds a repository with these objects; keys are
// the store's names below the repository.
func newRepo(t *testing.T, objects map[string]string) *storetest.Mem {
	t.Helper()
	store := storetest.NewMem()
	put(t, store, "config", "a config")
	for name, content := range objects {
		put(t, store, name, content)
	}
	return store
}

func put(t *testing.T, store storage.Store, name, content string) {
	t.Helper()
	if err := store.Put(t.Context(), repo+"/"+name, int64(len(content)), strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
}

// stored returns what the store has below the repository under name.
func stored(t *testing.T, store storage.Store, name string) (content string, ok bool) {
	t.Helper()
	body, _, err := store.Open(t.Context(), repo+"/"+name, 0, -1)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(got), true
}

// hooked is a Store of which a test replaces single methods.
type hooked struct {
	storage.Store
	stat   func(ctx context.Context, name string) (fs.FileInfo, error)
	open   func(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error)
	put    func(ctx context.Context, name string, size int64, body io.Reader) error
	remove func(ctx context.Context, name string) error
	list   func(ctx context.Context, dir string, fn func(fs.FileInfo) error) error
}

func (h *hooked) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	if h.stat != nil {
		return h.stat(ctx, name)
	}
	return h.Store.Stat(ctx, name)
}

func (h *hooked) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	if h.open != nil {
		return h.open(ctx, name, off, n)
	}
	return h.Store.Open(ctx, name, off, n)
}

func (h *hooked) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	if h.put != nil {
		return h.put(ctx, name, size, body)
	}
	return h.Store.Put(ctx, name, size, body)
}

func (h *hooked) Remove(ctx context.Context, name string) error {
	if h.remove != nil {
		return h.remove(ctx, name)
	}
	return h.Store.Remove(ctx, name)
}

func (h *hooked) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	if h.list != nil {
		return h.list(ctx, dir, fn)
	}
	return h.Store.List(ctx, dir, fn)
}

// fileInfo is the FileInfo of an object in a list.
type fileInfo struct {
	fs.FileInfo
	name string
	size int64
}

func (i fileInfo) Name() string { return i.name }
func (i fileInfo) Size() int64  { return i.size }
func (i fileInfo) IsDir() bool  { return false }

// listOf is a List of the first n of endlessly many objects, that then ends with
// err.
func listOf(n int, err error) func(context.Context, string, func(fs.FileInfo) error) error {
	return func(_ context.Context, _ string, fn func(fs.FileInfo) error) error {
		for i := range n {
			if err := fn(fileInfo{name: numbered(i), size: int64(i)}); err != nil {
				return err
			}
		}
		return err
	}
}

// numbered is a name that is cheap to make.
func numbered(i int) string { return fmt.Sprintf("%064x", i) }

// pass lets time go by, in a bubble.
func pass(d time.Duration) { <-time.After(d) }
