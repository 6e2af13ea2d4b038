package client

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// gate stands before the gateway, so that a test can stop restic at a certain
// request for as long as it likes.
type gate struct {
	url     string
	proxy   http.Handler
	current atomic.Pointer[hold]
}

// hold keeps back the requests that match.
type hold struct {
	match   func(*http.Request) bool
	first   chan struct{} // closed when there is one
	release chan struct{} // closed when they may continue
	seen    sync.Once
	cut     bool // they end without an answer
}

// newGate makes a gate, which hosts use that have its address.
func (w *clientWorld) newGate(t *testing.T) *gate {
	t.Helper()
	target, err := url.Parse(w.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{proxy: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

// addGate puts a gate before the gateway, for all hosts that are made from now on.
func (w *clientWorld) addGate(t *testing.T) *gate {
	t.Helper()
	g := w.newGate(t)
	w.endpoint = g.url
	return g
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := g.current.Load(); h != nil && h.match(r) {
		h.seen.Do(func() { close(h.first) })
		<-h.release
		if h.cut {
			panic(http.ErrAbortHandler)
		}
	}
	g.proxy.ServeHTTP(w, r)
}

// shut holds back what matches, instead of what it held back before.
func (g *gate) shut(t *testing.T, match func(*http.Request) bool) *hold {
	t.Helper()
	h := &hold{match: match, first: make(chan struct{}), release: make(chan struct{})}
	g.current.Store(h)
	t.Cleanup(func() {
		select {
		case <-h.release:
		default:
			h.cut = true
			close(h.release)
		}
	})
	return h
}

// await waits until a request is held back, and lets all later ones pass.
func (g *gate) await(t *testing.T, h *hold) {
	t.Helper()
	waitUntil(t, "a request is held back", func() bool {
		select {
		case <-h.first:
			return true
		default:
			return false
		}
	})
	g.current.CompareAndSwap(h, nil)
}

// open lets pass what was held back, and all later requests.
func (g *gate) open(h *hold) {
	g.current.CompareAndSwap(h, nil)
	close(h.release)
}

// uploads matches the uploads of objects of a type.
func uploads(kind string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.HasPrefix(repositoryPath(r), kind)
	}
}

// downloads matches the downloads of data.
func downloads(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasPrefix(repositoryPath(r), "data/")
}

// repositoryPath is what follows the repository's address.
func repositoryPath(r *http.Request) string {
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 4)
	return parts[len(parts)-1]
}
