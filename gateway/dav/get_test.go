package dav_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

func TestGetAndHead(t *testing.T) {
	t.Parallel()
	s := newServer(filled(t, "a/0123456789", "a/note.json", "a/page.html", "a/empty"))
	if err := s.store.Put(t.Context(), "a/empty", 0, strings.NewReader("")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path, rng string
		want      int
		body      string
		header    string // Content-Range
	}{
		{"/a/0123456789", "", 200, "a/0123456789", ""},
		{"/a/0123456789", "bytes=0-", 206, "a/0123456789", "bytes 0-11/12"},
		{"/a/0123456789", "bytes=2-4", 206, "012", "bytes 2-4/12"},
		{"/a/0123456789", "bytes=-3", 206, "789", "bytes 9-11/12"},
		{"/a/0123456789", "bytes=10-99", 206, "89", "bytes 10-11/12"},
		{"/a/0123456789", "lines=1-2", 200, "a/0123456789", ""},
		{"/a/0123456789", "bytes=12-", 416, "", "bytes */12"},
		{"/a/0123456789", "bytes=-0", 416, "", "bytes */12"},
		{"/a/0123456789", "bytes=0-1,4-5", 416, "", ""},
		{"/a/empty", "bytes=0-", 200, "", ""},
		{"/a/absent", "", 404, "", ""},
		{"/a/0123456789/", "", 404, "", ""},
		{"/a/0123456789/below", "", 404, "", ""},
	} {
		var header []string
		if tt.rng != "" {
			header = []string{"Range", tt.rng}
		}
		w := s.do(t, tt.want, "GET", tt.path, "", header...)
		if tt.want < 300 && w.Body.String() != tt.body || w.Header().Get("Content-Range") != tt.header {
			t.Errorf("GET %s %s: %q, Content-Range %q", tt.path, tt.rng, w.Body, w.Header().Get("Content-Range"))
		}
		if tt.rng == "" {
			head := s.do(t, tt.want, "HEAD", tt.path, "")
			for _, name := range []string{"Content-Length", "Etag", "Last-Modified", "Content-Type"} {
				if got, want := head.Header().Get(name), w.Header().Get(name); got != want {
					t.Errorf("HEAD %s: %s %q; GET says %q", tt.path, name, got, want)
				}
			}
		}
	}
	for path, want := range map[string]string{
		"/a/note.json": "application/json", "/a/page.html": "application/octet-stream", "/a": "text/plain; charset=utf-8",
	} {
		header := s.do(t, 200, "GET", path, "").Header()
		if got := header.Get("Content-Type"); got != want || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: Content-Type %s, %v", path, got, header)
		}
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	s := newServer(filled(t, "there"))
	header := s.do(t, 200, "HEAD", "/there", "").Header()
	tag, date := header.Get("Etag"), header.Get("Last-Modified")
	past := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	future := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	for _, tt := range []struct {
		name     string
		header   []string
		get, put int
		absent   int // PUT of what is not there
	}{
		{name: "the tag that there is", header: []string{"If-Match", tag}, get: 200, put: 201, absent: 412},
		{name: "another tag", header: []string{"If-Match", `"other"`}, get: 412, put: 412, absent: 412},
		{name: "one of several", header: []string{"If-Match", `"other", ` + tag}, get: 200, put: 201, absent: 412},
		{name: "a weak tag is no strong one", header: []string{"If-Match", "W/" + tag}, get: 412, put: 412, absent: 412},
		{name: "any", header: []string{"If-Match", "*"}, get: 200, put: 201, absent: 412},
		{name: "none that there is", header: []string{"If-None-Match", tag}, get: 304, put: 412, absent: 201},
		{name: "none, weakly", header: []string{"If-None-Match", "W/" + tag}, get: 304, put: 412, absent: 201},
		{name: "none but another", header: []string{"If-None-Match", `"other"`}, get: 200, put: 201, absent: 201},
		{name: "nothing there", header: []string{"If-None-Match", "*"}, get: 304, put: 412, absent: 201},
		{name: "changed since long ago", header: []string{"If-Modified-Since", past}, get: 200, put: 201, absent: 201},
		{name: "changed since now", header: []string{"If-Modified-Since", date}, get: 304, put: 201, absent: 201},
		{name: "tags come before dates", header: []string{"If-None-Match", `"other"`, "If-Modified-Since", future}, get: 200, put: 201, absent: 201},
		{name: "not changed since long ago", header: []string{"If-Unmodified-Since", past}, get: 412, put: 412, absent: 201},
		{name: "not changed since now", header: []string{"If-Unmodified-Since", date}, get: 200, put: 201, absent: 201},
		{name: "no date", header: []string{"If-Unmodified-Since", "yesterday", "If-Modified-Since", "tomorrow"}, get: 200, put: 201, absent: 201},
		{name: "a lock that nobody holds", header: []string{"If", "(<opaquelocktoken:e71d4fae-5dec-22d6-fea5-00a0c91e6be4>)"}, get: 200, put: 412, absent: 412},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := storetest.NewMem()
			mem := newServer(copyOf{s.store, store})
			mem.do(t, tt.get, "GET", "/there", "", tt.header...)
			mem.do(t, tt.put, "PUT", "/there", "new", tt.header...)
			want := ""
			if tt.put == 201 {
				want = "new"
			}
			content(t, store, "there", want)
			mem.do(t, tt.absent, "PUT", "/absent", "new", tt.header...)
			want = ""
			if tt.absent == 201 {
				want = "new"
			}
			content(t, store, "absent", want)
		})
	}
	for rng, want := range map[string]int{tag: 206, `"other"`: 200, date: 206, past: 200, "W/" + tag: 200} {
		s.do(t, want, "GET", "/there", "", "Range", "bytes=1-2", "If-Range", rng)
	}
	s.do(t, 412, "DELETE", "/there", "", "If-Match", `"other"`)
	content(t, s.store, "there", "there")
}

// TestFileIsThatOfItsTag replaces a file between the look at it and its opening.
func TestFileIsThatOfItsTag(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := local.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	replaced := &replacing{Store: store}
	put := func(content string) {
		if err := store.Put(t.Context(), "file", 3, strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	put("one")
	// The clock of a file system moves on every few milliseconds alone.
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "file"), past, past); err != nil {
		t.Fatal(err)
	}
	s := newServer(replaced)
	before := s.do(t, 200, "HEAD", "/file", "").Header().Get("Etag")
	replaced.before = func() { put("two") }
	w := s.do(t, 200, "GET", "/file", "")
	if tag := w.Header().Get("Etag"); w.Body.String() != "two" || tag == before || tag != s.do(t, 200, "HEAD", "/file", "").Header().Get("Etag") {
		t.Errorf("%q has the tag %s; %q had %s", w.Body, tag, "one", before)
	}
	if _, err := os.Stat("file"); err == nil {
		t.Error("the file was written elsewhere")
	}
}
