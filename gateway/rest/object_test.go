package rest_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

func TestConformanceOverHTTP(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storage.Store {
		t.Helper()
		s := serve(t, storetest.NewMem())
		s.node = true
		return storetest.HTTP(s.URL, "", "")
	}, storetest.OverHTTP())
}

func TestLifeOfARepository(t *testing.T) {
	pack := "a pack"
	path := "data/" + nameOf(pack)
	s := serve(t, storetest.NewMem())
	s.run(t, []call{
		{about: "no repository yet", method: "HEAD", path: "config", status: 404},
		{about: "create", method: "POST", path: "?create=true", status: 200, text: new("")},
		{about: "create again", method: "POST", path: "?create=true", status: 200},
		{about: "still no config", method: "HEAD", path: "config", status: 404},
		{about: "save config", method: "POST", path: "config", body: sealed("a config"), status: 200, text: new("")},
		{about: "config is there", method: "HEAD", path: "config", status: 200, want: map[string]string{"Content-Length": "42"}},
		{about: "pack is absent", method: "HEAD", path: path, status: 404},
		{about: "load an absent pack", method: "GET", path: path, status: 404},
		{about: "save pack", method: "POST", path: path, body: pack, status: 200, text: new("")},
		{about: "save it again", method: "POST", path: path, body: pack, status: 200},
		{
			about: "pack is there", method: "HEAD", path: path, status: 200, text: new(""),
			want: map[string]string{"Content-Length": "6", "Content-Type": "application/octet-stream", "Server": ""},
		},
		{
			about: "load it", method: "GET", path: path, status: 200, text: new(pack),
			want: map[string]string{"Content-Length": "6", "Content-Type": "application/octet-stream", "Content-Encoding": "", "Content-Range": ""},
		},
		{about: "create once more, with all in place", method: "POST", path: "?create=true", status: 200},
		{about: "it stays", method: "GET", path: path, status: 200, text: new(pack)},
		{about: "remove", method: "DELETE", path: path, status: 200, text: new("")},
		{about: "remove what is gone", method: "DELETE", path: path, status: 200},
		{about: "gone", method: "HEAD", path: path, status: 404},
	})
}

func TestPacksAreShardedInTheStore(t *testing.T) {
	pack, index := "a pack", sealed("an index")
	s := serve(t, storetest.NewMem())
	s.run(t, []call{
		{about: "pack", method: "POST", path: "data/" + nameOf(pack), body: pack, status: 200},
		{about: "index", method: "POST", path: "index/" + nameOf(index), body: index, status: 200},
	})
	for _, name := range []string{"data/" + nameOf(pack)[:2] + "/" + nameOf(pack), "index/" + nameOf(index)} {
		if _, ok := stored(t, s.store, name); !ok {
			t.Errorf("%s is not in the store", name)
		}
	}
}

func TestMethodsThatDoNotExist(t *testing.T) {
	s := serve(t, newRepo(t, nil))
	s.run(t, []call{
		{about: "load a repository", method: "GET", path: "", status: 405, want: map[string]string{"Allow": "POST"}},
		{about: "ask for a repository", method: "HEAD", path: "", status: 405},
		{about: "save a repository", method: "POST", path: "", status: 400},
		{about: "delete a repository", method: "DELETE", path: "", status: 403},
		{about: "save a list", method: "POST", path: "data/", status: 405, want: map[string]string{"Allow": "GET"}},
		{about: "delete a list", method: "DELETE", path: "locks/", status: 405},
		{about: "ask for a list", method: "HEAD", path: "locks/", status: 405},
		{about: "patch config", method: "PATCH", path: "config", body: "x", status: 405},
		{about: "invent a method", method: "FROBNICATE", path: "config", status: 405},
	})
	if got, _ := stored(t, s.store, "config"); got != "a config" {
		t.Errorf("config is now %q", got)
	}
}

// creator is a store that must be made ready first.
type creator struct {
	storage.Store
	dirs []string
	err  error
}

func (c *creator) Create(_ context.Context, dir string) error {
	c.dirs = append(c.dirs, dir)
	return c.err
}

func TestCreateMakesTheStoreReady(t *testing.T) {
	store := &creator{Store: storetest.NewMem()}
	s := serve(t, store)
	s.run(t, []call{{about: "create", method: "POST", path: "?create=true", status: 200}})
	if len(store.dirs) != 1 || store.dirs[0] != repo {
		t.Errorf("created %q, want %q", store.dirs, repo)
	}
	store.err = errors.New("no rights")
	s.run(t, []call{{about: "a create that fails", method: "POST", path: "?create=true", status: 502}})
}

func TestRanges(t *testing.T) {
	content := "0123456789"
	path, empty := "data/"+nameOf(content), "data/"+nameOf("")
	s := serve(t, newRepo(t, map[string]string{
		"data/" + nameOf(content)[:2] + "/" + nameOf(content): content,
		"data/" + nameOf("")[:2] + "/" + nameOf(""):           "",
	}))
	for _, tt := range []struct {
		about, path, header string
		status              int
		contentRange, body  string
	}{
		{"open, from the start", path, "bytes=0-", 206, "bytes 0-9/10", content},
		{"open, from the middle", path, "bytes=7-", 206, "bytes 7-9/10", "789"},
		{"open, the last byte", path, "bytes=9-", 206, "bytes 9-9/10", "9"},
		{"closed", path, "bytes=2-5", 206, "bytes 2-5/10", "2345"},
		{"closed, one byte", path, "bytes=0-0", 206, "bytes 0-0/10", "0"},
		{"closed, all of it", path, "bytes=0-9", 206, "bytes 0-9/10", content},
		{"closed, beyond the end", path, "bytes=8-99", 206, "bytes 8-9/10", "89"},
		{"closed, up to more than there are numbers", path, "bytes=8-99999999999999999999", 206, "bytes 8-9/10", "89"},
		{"closed, up to the largest number", path, "bytes=0-9223372036854775807", 206, "bytes 0-9/10", content},
		{"suffix", path, "bytes=-3", 206, "bytes 7-9/10", "789"},
		{"suffix of all", path, "bytes=-10", 206, "bytes 0-9/10", content},
		{"suffix of more than all", path, "bytes=-11", 206, "bytes 0-9/10", content},
		{"unit in capitals", path, "BYTES=1-1", 206, "bytes 1-1/10", "1"},
		{"space around", path, "bytes= 1-1 ", 206, "bytes 1-1/10", "1"},
		{"another unit", path, "lines=1-1", 200, "", content},
		{"behind the end", path, "bytes=10-", 416, "bytes */10", "*"},
		{"far behind the end", path, "bytes=99-100", 416, "bytes */10", "*"},
		{"behind all numbers", path, "bytes=99999999999999999999-", 416, "bytes */10", "*"},
		{"no suffix", path, "bytes=-0", 416, "bytes */10", "*"},
		{"two ranges", path, "bytes=0-1,4-5", 416, "", "*"},
		{"backwards", path, "bytes=5-2", 416, "", "*"},
		{"nothing", path, "bytes=", 416, "", "*"},
		{"a dash", path, "bytes=-", 416, "", "*"},
		{"no equals sign", path, "bytes", 416, "", "*"},
		{"letters", path, "bytes=a-b", 416, "", "*"},
		{"a sign", path, "bytes=+1-2", 416, "", "*"},
		{"two dashes", path, "bytes=--1", 416, "", "*"},
		{"space inside", path, "bytes=1 -2", 416, "", "*"},
		{"of an empty object, open", empty, "bytes=0-", 200, "", ""},
		{"of an empty object, closed", empty, "bytes=0-5", 200, "", ""},
		{"of an empty object, suffix", empty, "bytes=-5", 200, "", ""},
		{"of an empty object, no suffix", empty, "bytes=-0", 200, "", ""},
		{"behind an empty object", empty, "bytes=1-", 416, "", "*"},
		{"of what is absent", "data/" + nameOf("absent"), "bytes=0-", 404, "", "*"},
		{"suffix of what is absent", "data/" + nameOf("absent"), "bytes=-1", 404, "", "*"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			c := call{
				method: "GET", path: tt.path, header: map[string]string{"Range": tt.header},
				status: tt.status, want: map[string]string{"Content-Range": tt.contentRange},
			}
			if tt.body != "*" {
				c.text = &tt.body
				c.want["Content-Length"] = strconv.Itoa(len(tt.body))
			}
			s.run(t, []call{c})
		})
	}
}

func TestTwoRangeHeadersAreRefused(t *testing.T) {
	s := serve(t, newRepo(t, nil))
	got := s.raw(t, "GET "+base+"config HTTP/1.1\r\nHost: h\r\nConnection: close\r\nRange: bytes=0-1\r\nRange: bytes=2-3\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 416 ") {
		t.Errorf("answer: %s", got)
	}
}

func TestRangeIsNotForHead(t *testing.T) {
	s := serve(t, newRepo(t, nil))
	s.run(t, []call{{
		about: "HEAD", method: "HEAD", path: "config", header: map[string]string{"Range": "bytes=1-2"},
		status: 200, want: map[string]string{"Content-Length": "8", "Content-Range": ""},
	}})
}

func TestGetAsksTheStoreOnce(t *testing.T) {
	mem := newRepo(t, nil)
	opened := 0
	s := serve(t, &hooked{
		Store: mem,
		stat: func(context.Context, string) (fs.FileInfo, error) {
			t.Error("Stat was called")
			return nil, fs.ErrNotExist
		},
		open: func(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
			opened++
			return mem.Open(ctx, name, off, n)
		},
	})
	s.run(t, []call{
		{about: "whole", method: "GET", path: "config", status: 200},
		{about: "open", method: "GET", path: "config", header: map[string]string{"Range": "bytes=2-"}, status: 206},
		{about: "closed", method: "GET", path: "config", header: map[string]string{"Range": "bytes=2-3"}, status: 206},
	})
	if opened != 3 {
		t.Errorf("Open was called %d times for 3 requests", opened)
	}
}

func TestFailuresOfTheStoreAreNoAbsence(t *testing.T) {
	down := errors.New("connection refused")
	s := serve(t, &hooked{
		Store:  newRepo(t, nil),
		stat:   func(context.Context, string) (fs.FileInfo, error) { return nil, down },
		open:   func(context.Context, string, int64, int64) (io.ReadCloser, int64, error) { return nil, 0, down },
		put:    func(context.Context, string, int64, io.Reader) error { return down },
		remove: func(context.Context, string) error { return down },
		list:   listOf(0, down),
	})
	path := "locks/" + nameOf(sealed("x"))
	s.run(t, []call{
		{about: "HEAD", method: "HEAD", path: path, status: 502},
		{about: "GET", method: "GET", path: path, status: 502},
		{about: "GET of a suffix", method: "GET", path: path, header: map[string]string{"Range": "bytes=-1"}, status: 502},
		{about: "POST", method: "POST", path: path, body: sealed("x"), status: 502},
		{about: "POST of config", method: "POST", path: "config", body: sealed("a config"), status: 502},
		{about: "DELETE", method: "DELETE", path: path, status: 502},
		{about: "list", method: "GET", path: "locks/", status: 502},
	})
}

// shortBody ends, or fails, before what Open promised.
func shortBody(content string, err error) func(context.Context, string, int64, int64) (io.ReadCloser, int64, error) {
	return func(context.Context, string, int64, int64) (io.ReadCloser, int64, error) {
		r := io.Reader(strings.NewReader(content))
		if err != nil {
			r = io.MultiReader(r, errReader{err})
		}
		return io.NopCloser(r), int64(len(content)) + 10, nil
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestObjectThatBreaksOffIsNeverComplete(t *testing.T) {
	down := errors.New("connection reset")
	for about, tt := range map[string]struct {
		content string
		err     error
		want    error
	}{
		"ends early, at the first byte": {"", nil, io.EOF},
		"ends early":                    {strings.Repeat("x", 100_000), nil, io.EOF},
		"fails at the first byte":       {"", down, down},
		"fails":                         {strings.Repeat("x", 100_000), down, down},
	} {
		t.Run(about, func(t *testing.T) {
			s := serve(t, &hooked{Store: newRepo(t, nil), open: shortBody(tt.content, tt.err)})
			answer := s.raw(t, "GET "+base+"config HTTP/1.1\r\nHost: h\r\n\r\n")
			if answer != "" {
				resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if got, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("the client read %d bytes and then %v", len(got), err)
				}
			}
			if err := <-s.aborted; !errors.Is(err, tt.want) {
				t.Errorf("broken off because of %v, want %v", err, tt.want)
			}
		})
	}
}

func TestBodyIsNeverLongerThanPromised(t *testing.T) {
	s := serve(t, &hooked{
		Store: newRepo(t, nil),
		open: func(context.Context, string, int64, int64) (io.ReadCloser, int64, error) {
			return io.NopCloser(strings.NewReader("0123456789")), 10, nil
		},
	})
	s.run(t, []call{{
		about: "a store that ignores the range's end", method: "GET", path: "config",
		header: map[string]string{"Range": "bytes=0-3"}, status: 206, text: new("0123"),
		want: map[string]string{"Content-Length": "4", "Content-Range": "bytes 0-3/10"},
	}})
}

// sendfileProbe notes what was handed to it to read from.
type sendfileProbe struct {
	*httptest.ResponseRecorder
	src io.Reader
}

func (p *sendfileProbe) ReadFrom(src io.Reader) (int64, error) {
	p.src = src
	return io.Copy(p.ResponseRecorder, src)
}

func TestFileReachesTheResponseAsAFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "object")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	store := &hooked{Store: storetest.NewMem(), open: func(_ context.Context, _ string, off, _ int64) (io.ReadCloser, int64, error) {
		f, err := os.Open(name)
		if err != nil {
			return nil, 0, err
		}
		_, err = f.Seek(off, io.SeekStart)
		return f, 10, err
	}}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.Header.Set("Range", "bytes=2-4")
	w := &sendfileProbe{ResponseRecorder: httptest.NewRecorder()}
	if err := rest.NewHandler().Serve(w, r, asked(r, rest.Target{Store: store, Repo: repo, Type: object.Config})); err != nil {
		t.Fatal(err)
	}
	limited, ok := w.src.(*io.LimitedReader)
	if !ok {
		t.Fatalf("the response reads from a %T", w.src)
	}
	if _, ok := limited.R.(*os.File); !ok || w.Body.String() != "234" {
		t.Errorf("the response reads %q from a %T", w.Body, limited.R)
	}
}

// Whatever a Range header says, the answer is the whole object, or exactly the
// bytes its Content-Range names, or 416.
func FuzzRange(f *testing.F) {
	for _, header := range []string{
		"bytes=0-", "bytes=1-2", "bytes=-3", "bytes=5-1", "bytes=0-0,1-1", "lines=1-2", "bytes=99999999999999999999-",
		"bytes=0-9223372036854775806", "bytes=9223372036854775807-", "bytes=-0", "bytes", "",
	} {
		f.Add(header, uint8(10))
		f.Add(header, uint8(0))
	}
	handler := rest.NewHandler()
	f.Fuzz(func(t *testing.T, header string, size uint8) {
		content := make([]byte, size)
		for i := range content {
			content[i] = byte(i)
		}
		store := storetest.NewMem()
		put(t, store, "config", string(content))
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Header["Range"] = []string{header}
		w := httptest.NewRecorder()
		err := handler.Serve(w, r, asked(r, rest.Target{Store: store, Repo: repo, Type: object.Config}))
		if err != nil {
			if !errors.Is(err, storage.ErrRange) || w.Body.Len() > 0 {
				t.Errorf("%q of %d bytes: %v", header, size, err)
			}
			return
		}
		got := w.Result()
		if got.Header.Get("Content-Length") != strconv.Itoa(w.Body.Len()) {
			t.Errorf("%q of %d bytes: Content-Length %s for %d bytes", header, size, got.Header.Get("Content-Length"), w.Body.Len())
		}
		want := content
		if w.Code == http.StatusPartialContent {
			want = named(t, content, got.Header.Get("Content-Range"))
		}
		if !bytes.Equal(w.Body.Bytes(), want) {
			t.Errorf("%q of %d bytes: %d and %v", header, size, w.Code, w.Body.Bytes())
		}
	})
}

// named returns the part of content that a Content-Range names.
func named(t *testing.T, content []byte, contentRange string) []byte {
	t.Helper()
	span, ok := strings.CutPrefix(contentRange, "bytes ")
	span, size, ok2 := strings.Cut(span, "/")
	first, last, ok3 := strings.Cut(span, "-")
	from, err := strconv.Atoi(first)
	to, err2 := strconv.Atoi(last)
	if !ok || !ok2 || !ok3 || err != nil || err2 != nil || from > to || to >= len(content) || size != strconv.Itoa(len(content)) {
		t.Fatalf("Content-Range %q of %d bytes", contentRange, len(content))
	}
	return content[from : to+1]
}
