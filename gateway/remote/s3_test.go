package remote

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rclone/rclone/fs/rc"
)

const (
	accessKey = "AKIDEXAMPLE"
	secretKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

// s3Server is `rclone serve s3` on a directory, behind a proxy which notes the
// requests and may be told to spoil them.
type s3Server struct {
	url string // of the proxy
	dir string // holds the buckets

	mu       sync.Mutex
	requests []string
	spoil    func(w http.ResponseWriter, r *http.Request) (done bool)
}

func newS3Server(t *testing.T) *s3Server {
	t.Helper()
	s := &s3Server{dir: t.TempDir()}
	backend := serve(t, rc.Params{
		"type":     "s3",
		"fs":       s.dir,
		"auth_key": []string{accessKey + "," + secretKey},
	})
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: backend})
			r.Out.Host = r.In.Host // which is signed
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method)
		spoil := s.spoil
		s.mu.Unlock()
		if spoil == nil || !spoil(w, r) {
			// Whoever is refused early is heard out, so that the answer reaches them.
			body := r.Body
			r.Body = io.NopCloser(body)
			proxy.ServeHTTP(w, r)
			_, _ = io.Copy(io.Discard, body)
		}
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// spoilWith lets f answer requests, until the next call.
func (s *s3Server) spoilWith(f func(w http.ResponseWriter, r *http.Request) (done bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoil = f
}

// taken returns the methods of the requests since the last call.
func (s *s3Server) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := s.requests
	s.requests = nil
	return requests
}

func (s *s3Server) section() map[string]string { return s3Section(s.url) }

func s3Section(endpoint string) map[string]string {
	return map[string]string{
		"type":              "s3",
		"provider":          "Rclone",
		"endpoint":          endpoint,
		"access_key_id":     accessKey,
		"secret_access_key": secretKey,
	}
}

// makeBucket makes an empty bucket of its own for the test.
func (s *s3Server) makeBucket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(s.dir, "bucket")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Base(dir)
}

// open opens a store in a bucket of its own.
func (s *s3Server) open(t *testing.T) *Store {
	t.Helper()
	return open(t, s.section(), s.makeBucket(t)+"/backups")
}

// open opens a store for the time of the test.
func open(t *testing.T, section map[string]string, base string) *Store {
	t.Helper()
	s, err := Open(t.Context(), fmt.Sprintf("test-%x", t.Name()), section, base, Options{})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}
