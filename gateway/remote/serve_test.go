package remote

import (
	"context"
	"errors"
	"io"
	iofs "io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/go-chi/chi/v5"
	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/rclone/rclone/fs/rc"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"

	// rclone's own servers, for rclone's own clients.
	_ "github.com/rclone/rclone/cmd/serve/s3"
	_ "github.com/rclone/rclone/cmd/serve/sftp"
	_ "github.com/rclone/rclone/cmd/serve/webdav"
)

// setup makes rclone ready, which opening a destination does, too.
var setup = sync.OnceFunc(func() { backend.Init(slog.Default().Handler()) })

// The methods of WebDAV, which rclone's server teaches chi when it starts. Other servers
// read the same map meanwhile.
func init() {
	for _, method := range []string{"COPY", "LOCK", "MKCOL", "MOVE", "PROPFIND", "PROPPATCH", "UNLOCK"} {
		chi.RegisterMethod(method)
	}
}

// serve runs one of rclone's servers for the time of the test and returns its
// address.
func serve(t *testing.T, params rc.Params) (address string) {
	t.Helper()
	setup()
	call := func(method string, in rc.Params) rc.Params {
		out, err := rc.Calls.Get(method).Fn(context.Background(), in)
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		return out
	}
	params["addr"] = []string{"127.0.0.1:0"}
	if params["type"] == "sftp" {
		params["addr"] = "127.0.0.1:0"
	}
	out := call("serve/start", params)
	t.Cleanup(func() { call("serve/stop", rc.Params{"id": out["id"]}) })
	return out["addr"].(string)
}

// TestFileServers checks on servers of files, whose own PUT shows half an object,
// that ours is all or nothing. The whole suite takes too long here: rclone paces
// its requests to WebDAV.
func TestFileServers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		open func(t *testing.T, dir string) *Store
	}{
		{"WebDAV", func(t *testing.T, dir string) *Store {
			address := serve(t, rc.Params{"type": "webdav", "fs": dir})
			return open(t, map[string]string{"type": "webdav", "url": "http://" + address, "vendor": "rclone"}, "backups")
		}},
		{"SFTP", func(t *testing.T, dir string) *Store {
			address := serve(t, rc.Params{"type": "sftp", "fs": dir, "user": "me", "pass": "password"})
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatal(err)
			}
			return open(t, map[string]string{
				"type": "sftp", "host": host, "port": port, "user": "me", "pass": obscure.MustObscure("password"),
			}, "backups")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s := tt.open(t, dir)
			if _, err := s.Stat(t.Context(), pack); !errors.Is(err, iofs.ErrNotExist) {
				t.Errorf("Stat before anything was put = %v; want fs.ErrNotExist", err)
			}
			if err := s.List(t.Context(), repo, func(iofs.FileInfo) error { return nil }); !errors.Is(err, iofs.ErrNotExist) {
				t.Errorf("List before anything was put = %v; want fs.ErrNotExist", err)
			}
			mustPut(t, s, pack, "before")
			mustPut(t, s, pack, "the content")
			errBody := errors.New("planned failure of the body")
			body := io.MultiReader(strings.NewReader("the "), iotest.ErrReader(errBody))
			if err := s.Put(t.Context(), pack, 11, body); !errors.Is(err, errBody) {
				t.Errorf("Put = %v; want the body's error", err)
			}
			if got := read(t, s, pack, 4, 3); got != "con" {
				t.Errorf("a range reads %q; want %q", got, "con")
			}
			if got := read(t, s, pack, 0, -1); got != "the content" {
				t.Errorf("after a failed upload the object is %q", got)
			}
			if got := files(t, dir); !slices.Equal(got, []string{"backups/" + pack}) {
				t.Errorf("the server has the files %v; want the object alone", got)
			}
			if err := s.Remove(t.Context(), pack); err != nil {
				t.Errorf("Remove: %v", err)
			}
			if err := s.Remove(t.Context(), pack); !errors.Is(err, iofs.ErrNotExist) {
				t.Errorf("Remove of what is absent = %v; want fs.ErrNotExist", err)
			}
		})
	}
}

// TestListsThatBreakOff has a server answer once, or always, as Apache does when a file
// goes away while it looks at the directory.
func TestListsThatBreakOff(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		refusals int32
		want     error
	}{
		"once":   {1, nil},
		"always": {1 << 20, errBrokenOff},
	} {
		t.Run(name, func(t *testing.T) {
			target := &url.URL{Scheme: "http", Host: serve(t, rc.Params{"type": "webdav", "fs": t.TempDir()})}
			through := httputil.NewSingleHostReverseProxy(target)
			var left atomic.Int32
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "PROPFIND" && strings.HasSuffix(strings.TrimSuffix(r.URL.Path, "/"), repo+"/data") && left.Add(-1) >= 0 {
					http.NotFound(w, r)
					return
				}
				through.ServeHTTP(w, r)
			}))
			t.Cleanup(proxy.Close)
			s := open(t, map[string]string{"type": "webdav", "url": proxy.URL, "vendor": "rclone"}, "backups")
			mustPut(t, s, pack, "the content")
			left.Store(tt.refusals)
			listed := 0
			err := s.List(t.Context(), repo+"/data", func(iofs.FileInfo) error { listed++; return nil })
			if !errors.Is(err, tt.want) || err == nil && listed != 1 {
				t.Errorf("List = %v with %d objects; want %v", err, listed, tt.want)
			}
		})
	}
}

func read(t *testing.T, s *Store, name string, off, n int64) string {
	t.Helper()
	body, _, err := s.Open(t.Context(), name, off, n)
	if err != nil {
		t.Fatalf("Open(%s): %v", name, err)
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	if err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	return string(got)
}

// files returns the paths of all files below dir.
func files(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := iofs.WalkDir(os.DirFS(dir), ".", func(path string, entry iofs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
