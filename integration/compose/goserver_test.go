package compose

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// serveGo shares this machine's cache of modules, and its build cache, with builds,
// which have no other network. A module that is not there comes from where this
// machine gets it.
func (e *engine) serveGo() error {
	settings, err := exec.Command("go", "env", "GOMODCACHE", "GOPROXY", "GOCACHE").Output()
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(settings)), "\n")
	if len(lines) != 3 {
		return fmt.Errorf("go env says %q", settings)
	}
	first, _, _ := strings.Cut(strings.ReplaceAll(lines[1], "|", ","), ",")
	upstream, err := url.Parse(first)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/modules/", http.StripPrefix("/modules", modules(filepath.Join(lines[0], "cache/download"), upstream)))
	mux.Handle("/gocache/", http.StripPrefix("/gocache", buildCache(lines[2])))
	return e.inNetwork(func() error {
		listener, err := net.Listen("tcp", strings.TrimPrefix(goServer, "http://"))
		if err != nil {
			return err
		}
		server := &http.Server{Handler: mux, ReadHeaderTimeout: patience}
		go func() { _ = server.Serve(listener) }()
		return nil
	})
}

func modules(cache string, upstream *url.URL) http.Handler {
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream) }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := filepath.Join(cache, filepath.FromSlash(r.URL.Path))
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			http.ServeFile(w, r, name)
			return
		}
		forward.ServeHTTP(w, r)
	})
}

// buildCache shares the files of a GOCACHE. A new one is there whole or not at all, as
// others may be compiling.
func buildCache(dir string) http.Handler {
	files := http.FileServer(http.Dir(dir))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			files.ServeHTTP(w, r)
			return
		}
		if !cacheFile.MatchString(r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		if err := receive(filepath.Join(dir, filepath.FromSlash(r.URL.Path)), r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

var cacheFile = regexp.MustCompile(`^/[0-9a-f]{2}/[0-9a-f]{64}-[ad]$`)

// receive makes a file of what is read.
func receive(path string, from io.Reader) error {
	file, err := os.CreateTemp(filepath.Dir(path), "received*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // it was renamed
	_, err = io.Copy(file, from)
	if err := errors.Join(err, file.Chmod(0o644), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
