package rest_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// long is a number of objects whose list does not fit into one buffer.
const long = 5000

var (
	acceptV2   = map[string]string{"Accept": rest.MediaTypeV2, "Accept-Encoding": "identity"}
	acceptGzip = map[string]string{"Accept": rest.MediaTypeV2, "Accept-Encoding": "gzip"}
)

func TestListVersions(t *testing.T) {
	pack := "a pack"
	name := nameOf(pack)
	s := serve(t, newRepo(t, map[string]string{"data/" + name[:2] + "/" + name: pack}))
	v1 := `["` + name + `"]`
	v2 := `[{"name":"` + name + `","size":6}]`
	for about, tt := range map[string]struct{ accept, contentType, body string }{
		"version 2":             {rest.MediaTypeV2, rest.MediaTypeV2, v2},
		"version 2 among more":  {"text/html, " + rest.MediaTypeV2 + ";q=0.5", rest.MediaTypeV2, v2},
		"version 1":             {rest.MediaTypeV1, rest.MediaTypeV1, v1},
		"anything":              {"*/*", rest.MediaTypeV1, v1},
		"version 2 is refused":  {rest.MediaTypeV2 + "; q=0", rest.MediaTypeV1, v1},
		"version 2 with a tail": {rest.MediaTypeV2 + "1", rest.MediaTypeV1, v1},
	} {
		s.run(t, []call{{
			about: about, method: "GET", path: "data/", header: map[string]string{"Accept": tt.accept},
			status: 200, text: &tt.body, want: map[string]string{"Content-Type": tt.contentType},
		}})
	}
}

func TestListLeavesOutWhatIsNoObject(t *testing.T) {
	name := nameOf("right")
	s := serve(t, newRepo(t, map[string]string{
		"keys/" + name:                            "right",
		"keys/" + name + ".tmp":                   "a temporary file",
		"keys/." + name[1:]:                       "a hidden file",
		"keys/" + strings.ToUpper(name):           "a shout",
		"keys/README":                             "a note",
		"keys/sub/" + strings.Repeat("g", 64):     "not hexadecimal",
		"keys/" + strings.Repeat("0", 63):         "too short",
		"data/.rclone/" + strings.Repeat("z", 64): "of others",
	}))
	s.run(t, []call{
		{about: "keys", method: "GET", path: "keys/", header: acceptV2, status: 200, text: new(`[{"name":"` + name + `","size":5}]`)},
		{about: "data", method: "GET", path: "data/", header: acceptV2, status: 200, text: new("[]")},
	})
}

func TestEmptyListNeedsAConfig(t *testing.T) {
	down := errors.New("connection refused")
	gone := fmt.Errorf("directory: %w", fs.ErrNotExist)
	for about, tt := range map[string]struct {
		list   error // of a store without any objects
		config error
		status int
	}{
		"directory absent, config there":       {gone, nil, 200},
		"directory empty, config there":        {nil, nil, 200},
		"directory absent, config absent":      {gone, gone, 404},
		"directory empty, config absent":       {nil, gone, 404},
		"directory absent, config not reached": {gone, down, 502},
		"directory empty, config not reached":  {nil, down, 502},
		"directory not reached, config there":  {down, nil, 502},
	} {
		t.Run(about, func(t *testing.T) {
			asked := ""
			s := serve(t, &hooked{
				Store: storetest.NewMem(),
				list:  listOf(0, tt.list),
				stat: func(_ context.Context, name string) (fs.FileInfo, error) {
					asked = name
					return fileInfo{}, tt.config
				},
			})
			c := call{method: "GET", path: "index/", header: acceptV2, status: tt.status}
			if tt.status == 200 {
				c.text = new("[]")
				c.want = map[string]string{"Content-Type": rest.MediaTypeV2}
			}
			s.run(t, []call{c})
			if !errors.Is(tt.list, down) && asked != repo+"/config" {
				t.Errorf("asked for %q", asked)
			}
		})
	}
}

func TestListOfSomethingAsksForNoConfig(t *testing.T) {
	s := serve(t, &hooked{
		Store: storetest.NewMem(),
		list:  listOf(1, nil),
		stat: func(context.Context, string) (fs.FileInfo, error) {
			t.Error("Stat was called")
			return nil, fs.ErrNotExist
		},
	})
	s.run(t, []call{{about: "list", method: "GET", path: "index/", status: 200}})
}

func TestLongList(t *testing.T) {
	s := serve(t, &hooked{Store: storetest.NewMem(), list: listOf(long, nil)})
	for about, tt := range map[string]struct {
		header   map[string]string
		encoding string
	}{
		"as it is":            {acceptV2, ""},
		"compressed":          {acceptGzip, "gzip"},
		"no encoding named":   {map[string]string{"Accept": rest.MediaTypeV2, "Accept-Encoding": ""}, ""},
		"gzip is refused":     {map[string]string{"Accept": rest.MediaTypeV2, "Accept-Encoding": "br, gzip;q=0"}, ""},
		"gzip at less weight": {map[string]string{"Accept": rest.MediaTypeV2, "Accept-Encoding": "br;q=1.0, GZIP; q=0.8"}, "gzip"},
	} {
		t.Run(about, func(t *testing.T) {
			resp := s.send(t, call{method: "GET", path: "data/", header: tt.header})
			defer resp.Body.Close()
			if got := resp.Header.Get("Content-Encoding"); got != tt.encoding {
				t.Fatalf("Content-Encoding %q, want %q", got, tt.encoding)
			}
			if got := resp.Header.Get("Content-Type"); got != rest.MediaTypeV2 {
				t.Errorf("Content-Type %q", got)
			}
			body := io.Reader(resp.Body)
			if tt.encoding == "gzip" {
				z, err := gzip.NewReader(body)
				if err != nil {
					t.Fatal(err)
				}
				body = z
			}
			wantNumbered(t, body, long)
		})
	}
}

// wantNumbered reads the list of listOf(n, nil).
func wantNumbered(t *testing.T, body io.Reader, n int) {
	t.Helper()
	var got []struct {
		Name string
		Size int64
	}
	content, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &got); err != nil {
		t.Fatal(err)
	}
	for i, entry := range got {
		if entry.Name != numbered(i) || entry.Size != int64(i) {
			t.Fatalf("entry %d is %+v", i, entry)
		}
	}
	if len(got) != n {
		t.Errorf("%d entries, want %d", len(got), n)
	}
}

func TestShortListIsSentWithItsLength(t *testing.T) {
	s := serve(t, &hooked{Store: storetest.NewMem(), list: listOf(100, nil)})
	resp := s.send(t, call{method: "GET", path: "data/", header: acceptGzip})
	defer resp.Body.Close()
	if resp.Header.Get("Content-Encoding") != "" || resp.ContentLength < 0 {
		t.Errorf("Content-Encoding %q, Content-Length %d", resp.Header.Get("Content-Encoding"), resp.ContentLength)
	}
	wantNumbered(t, resp.Body, 100)
}

func TestListThatFailsBeforeItsHeaderHasAStatus(t *testing.T) {
	for about, tt := range map[string]struct {
		err    error
		status int
	}{
		"the remote went away":     {errors.New("connection reset"), 502},
		"the destination did":      {storage.ErrUnavailable, 503},
		"a file or shard vanished": {fs.ErrNotExist, 502}, // not 404: the rest is there
	} {
		s := serve(t, &hooked{Store: newRepo(t, nil), list: listOf(20, tt.err)})
		s.run(t, []call{{
			about: about, method: "GET", path: "data/", header: acceptGzip, status: tt.status,
			want: map[string]string{"Content-Encoding": ""},
		}})
	}
}

func TestListThatBreaksOffIsNeverComplete(t *testing.T) {
	down := errors.New("connection reset")
	for about, tt := range map[string]struct {
		encoding string
		err      error
	}{
		"as it is":                       {"identity", down},
		"compressed":                     {"gzip", down},
		"as it is, something vanished":   {"identity", fs.ErrNotExist},
		"compressed, something vanished": {"gzip", fs.ErrNotExist},
	} {
		t.Run(about, func(t *testing.T) {
			s := serve(t, &hooked{Store: newRepo(t, nil), list: listOf(long, tt.err)})
			answer := s.raw(t, "GET "+base+"data/ HTTP/1.1\r\nHost: h\r\nAccept: "+rest.MediaTypeV2+"\r\nAccept-Encoding: "+tt.encoding+"\r\n\r\n")
			if err := <-s.aborted; err == nil {
				t.Error("broken off without a cause")
			}
			if !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
				t.Fatalf("answer: %.200q", answer)
			}
			if strings.HasSuffix(answer, "0\r\n\r\n") {
				t.Error("the chunks were ended in order")
			}
			resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body := io.Reader(resp.Body)
			if tt.encoding == "gzip" {
				if body, err = gzip.NewReader(body); err != nil {
					t.Fatal(err)
				}
			}
			content, err := io.ReadAll(body)
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("the client read %d bytes and then %v", len(content), err)
			}
			if json.Valid(content) {
				t.Error("what the client read is valid JSON")
			}
		})
	}
}

func TestListEndsWhenTheClientGoes(t *testing.T) {
	ended := make(chan error, 1)
	s := serve(t, &hooked{
		Store: storetest.NewMem(),
		list: func(ctx context.Context, _ string, fn func(fs.FileInfo) error) error {
			var err error
			for i := 0; err == nil; i++ {
				if err = ctx.Err(); err == nil {
					err = fn(fileInfo{name: numbered(i)})
				}
			}
			ended <- err
			return err
		},
	})
	resp := s.send(t, call{method: "GET", path: "data/", header: acceptV2})
	if _, err := io.CopyN(io.Discard, resp.Body, 100); err != nil {
		t.Error(err)
	}
	resp.Body.Close()
	if err := <-ended; err == nil {
		t.Error("the list did not end")
	}
	if err := <-s.aborted; err == nil {
		t.Error("broken off without a cause")
	}
}

// slowly lists one object after each of the given times.
func slowly(times []time.Duration, err error) func(context.Context, string, func(fs.FileInfo) error) error {
	return func(_ context.Context, _ string, fn func(fs.FileInfo) error) error {
		for i, d := range times {
			pass(d)
			if err := fn(fileInfo{name: numbered(i), size: int64(i)}); err != nil {
				return err
			}
		}
		return err
	}
}

func TestSlowListIsNeverSilentForLong(t *testing.T) {
	for _, encoding := range []string{"identity", "gzip"} {
		t.Run(encoding, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				list := slowly([]time.Duration{time.Hour, time.Second, time.Minute}, nil)
				h := rest.NewHandler()
				w := &heard{ResponseRecorder: httptest.NewRecorder(), last: time.Now()}
				r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
				r.Header.Set("Accept", rest.MediaTypeV2)
				r.Header.Set("Accept-Encoding", encoding)
				err := h.Serve(w, r, asked(r, rest.Target{Store: &hooked{Store: newRepo(t, nil), list: list}, Repo: repo, Type: object.Data}))
				if err != nil {
					t.Fatal(err)
				}
				if w.silence > 15*time.Second {
					t.Errorf("silent for %v", w.silence)
				}
				body := io.Reader(w.Body)
				if encoding == "gzip" {
					if body, err = gzip.NewReader(body); err != nil {
						t.Fatal(err)
					}
				}
				wantNumbered(t, body, 3)
			})
		})
	}
}

// heard notes the longest time between two flushes.
type heard struct {
	*httptest.ResponseRecorder
	last    time.Time
	silence time.Duration
}

func (h *heard) Flush() {
	h.silence = max(h.silence, time.Since(h.last))
	h.last = time.Now()
	h.ResponseRecorder.Flush()
}

func TestSlowListThatFails(t *testing.T) {
	down := errors.New("connection reset")
	serveList := func(t *testing.T, list func(context.Context, string, func(fs.FileInfo) error) error) (w *httptest.ResponseRecorder, err error) {
		w = httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		h := rest.NewHandler()
		err = h.Serve(w, r, asked(r, rest.Target{Store: &hooked{Store: newRepo(t, nil), list: list}, Repo: repo, Type: object.Data}))
		return w, err
	}
	synctest.Test(t, func(t *testing.T) {
		list := func(context.Context, string, func(fs.FileInfo) error) error {
			pass(9 * time.Second)
			return down
		}
		w, err := serveList(t, list)
		if !errors.Is(err, down) || w.Flushed {
			t.Errorf("within ten seconds: %v, header sent %v; want an error alone", err, w.Flushed)
		}
		pass(time.Minute)
		if w.Flushed || w.Body.Len() > 0 {
			t.Errorf("written after the end: %q", w.Body)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		list := func(context.Context, string, func(fs.FileInfo) error) error {
			pass(11 * time.Second)
			return down
		}
		w, err := serveList(t, list)
		if !errors.Is(err, down) || !w.Flushed || json.Valid(w.Body.Bytes()) {
			t.Errorf("after ten seconds: %v, header sent %v, body %q; want it broken off", err, w.Flushed, w.Body)
		}
	})
}

func TestListTakesTheSameMemoryForAnyLength(t *testing.T) {
	allocs := func(n int) float64 {
		store := &hooked{Store: storetest.NewMem(), list: listed(slices.Repeat([]*fileInfo{{name: nameOf("x"), size: 16 << 20}}, n))}
		h := rest.NewHandler()
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Header.Set("Accept", rest.MediaTypeV2)
		return testing.AllocsPerRun(5, func() {
			if err := h.Serve(discard{}, r, asked(r, rest.Target{Store: store, Repo: repo, Type: object.Data})); err != nil {
				t.Error(err)
			}
		})
	}
	if few, many := allocs(1000), allocs(50_000); many > few+10 {
		t.Errorf("%v allocations for 1,000 objects, %v for 50,000", few, many)
	}
}

// listed is a List of the objects given, that allocates nothing itself.
func listed(objects []*fileInfo) func(context.Context, string, func(fs.FileInfo) error) error {
	return func(_ context.Context, _ string, fn func(fs.FileInfo) error) error {
		for _, o := range objects {
			if err := fn(o); err != nil {
				return err
			}
		}
		return nil
	}
}

// discard is a ResponseWriter that keeps nothing.
type discard struct{}

func (discard) Header() http.Header         { return make(http.Header) }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}
