package rest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

func TestUploadOfOtherContentIsNotStored(t *testing.T) {
	name := nameOf("right")
	for about, body := range map[string]string{
		"other content":                   "wrong",
		"a byte more":                     "right!",
		"a byte less":                     "righ",
		"nothing":                         "",
		"one byte":                        "r",
		"more than any buffer on its way": strings.Repeat("x", 1<<20),
	} {
		t.Run(about, func(t *testing.T) {
			s := serve(t, newRepo(t, nil))
			s.run(t, []call{
				{about: "save", method: "POST", path: "data/" + name, body: body, status: 400},
				{about: "look", method: "HEAD", path: "data/" + name, status: 404},
				{about: "save rightly", method: "POST", path: "data/" + name, body: "right", status: 200},
				{about: "save wrongly over it", method: "POST", path: "data/" + name, body: body, status: 400},
				{about: "look again", method: "GET", path: "data/" + name, status: 200, text: new("right")},
			})
		})
	}
}

func TestUploadRepairsADamagedObject(t *testing.T) {
	name := "snapshots/" + nameOf(sealed("right"))
	s := serve(t, newRepo(t, map[string]string{name: "rotten"}))
	s.run(t, []call{
		{about: "save", method: "POST", path: name, body: sealed("right"), status: 200},
		{about: "load", method: "GET", path: name, status: 200, text: new(sealed("right"))},
	})
}

func TestEmptyObjectIsStoredUnderItsName(t *testing.T) {
	path := "data/" + nameOf("")
	s := serve(t, newRepo(t, nil))
	s.run(t, []call{
		{about: "save", method: "POST", path: path, status: 200},
		{about: "look", method: "HEAD", path: path, status: 200, want: map[string]string{"Content-Length": "0"}},
	})
}

func TestChunkedUploadIsRefused(t *testing.T) {
	s := serve(t, newRepo(t, nil))
	for _, path := range []string{"config", "keys/" + nameOf("x")} {
		answer := s.raw(t, "POST "+base+path+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 411 ") {
			t.Errorf("%s: %s", path, answer)
		}
	}
}

func TestUploadThatEndsEarlyIsNotStored(t *testing.T) {
	for _, path := range []string{"config", "snapshots/" + nameOf("content"), "keys/" + nameOf("content")} {
		t.Run(path, func(t *testing.T) {
			failed := make(chan error, 1)
			mem := storetest.NewMem()
			s := serve(t, mem)
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				target, _ := s.target(r)
				failed <- s.handler.Serve(w, r, asked(r, target))
			})
			conn := s.dial(t)
			fmt.Fprintf(conn, "POST %s%s HTTP/1.1\r\nHost: h\r\nContent-Length: 70\r\n\r\ncont", base, path)
			conn.Close()
			if err := <-failed; !errors.Is(err, storage.ErrShort) {
				t.Errorf("Serve returned %v, want ErrShort", err)
			}
			if content, ok := stored(t, mem, path); ok {
				t.Errorf("stored %q", content)
			}
		})
	}
}

func TestCauseOfABrokenUploadIsKept(t *testing.T) {
	for _, target := range []rest.Target{
		{Store: storetest.NewMem(), Repo: repo, Type: object.Config},
		{Store: storetest.NewMem(), Repo: repo, Type: object.Keys, Name: nameOf("content")},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", errReader{syscall.ETIMEDOUT})
		r.ContentLength = 70
		err := rest.NewHandler().Serve(httptest.NewRecorder(), r, asked(r, target))
		if !errors.Is(err, storage.ErrShort) || !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("%v: %v", target.Type, err)
		}
	}
}

func TestStoreCannotHideABadUpload(t *testing.T) {
	s := serve(t, &hooked{
		Store: storetest.NewMem(),
		put: func(_ context.Context, _ string, _ int64, body io.Reader) error {
			_, _ = io.Copy(io.Discard, body) // a store that ignores the error
			return nil
		},
	})
	s.run(t, []call{{about: "wrong content", method: "POST", path: "data/" + nameOf("right"), body: "wrong", status: 400}})

	s = serve(t, &hooked{
		Store: storetest.NewMem(),
		put:   func(context.Context, string, int64, io.Reader) error { return nil },
	})
	s.run(t, []call{{about: "unread content", method: "POST", path: "data/" + nameOf("right"), body: "right", status: 502}})
}

func TestConfig(t *testing.T) {
	s := serve(t, storetest.NewMem())
	s.run(t, []call{
		{about: "an empty one", method: "POST", path: "config", status: 400},
		{about: "an invalid one", method: "POST", path: "config", body: strings.Repeat("x", 1<<20+1), status: 400},
		{about: "nothing was stored", method: "HEAD", path: "config", status: 404},
		{about: "create", method: "POST", path: "config", body: sealed("config 1"), status: 200},
		{about: "the same again", method: "POST", path: "config", body: sealed("config 1"), status: 200},
		{about: "other content", method: "POST", path: "config", body: sealed("config 2"), status: 403},
		{about: "shorter content", method: "POST", path: "config", body: sealed("") + "shorter", status: 403},
		{about: "longer content", method: "POST", path: "config", body: sealed("config 11"), status: 403},
		{about: "it stays", method: "GET", path: "config", status: 200, text: new(sealed("config 1"))},
	})
	s.node = true
	s.run(t, []call{
		{about: "who may replace it", method: "POST", path: "config", body: sealed("config 2"), status: 200},
		{about: "does", method: "GET", path: "config", status: 200, text: new(sealed("config 2"))},
	})
}

func TestConfigIsNotStoredWhereItCannotBeCompared(t *testing.T) {
	down := errors.New("connection refused")
	store := &hooked{
		Store: storetest.NewMem(),
		open:  func(context.Context, string, int64, int64) (io.ReadCloser, int64, error) { return nil, 0, down },
		put: func(context.Context, string, int64, io.Reader) error {
			t.Error("stored")
			return nil
		},
	}
	s := serve(t, store)
	s.run(t, []call{{about: "save", method: "POST", path: "config", body: sealed("config"), status: 502}})
	store.open = shortBody("conf", down)
	s.run(t, []call{{about: "save", method: "POST", path: "config", body: sealed("config"), status: 502}})
}

func TestOfTwoConfigsAtOnceOneIsStored(t *testing.T) {
	s := serve(t, storetest.NewMem())
	statuses := make(chan int, 8)
	for i := range cap(statuses) {
		go func() {
			resp, err := s.Client().Post(s.URL+base+"config", "", strings.NewReader(sealed(fmt.Sprint("config ", i))))
			if err != nil {
				t.Error(err)
				statuses <- 0
				return
			}
			resp.Body.Close()
			statuses <- resp.StatusCode
		}()
	}
	count := map[int]int{}
	for range cap(statuses) {
		count[<-statuses]++
	}
	if count[200] != 1 || count[403] != cap(statuses)-1 {
		t.Errorf("statuses: %v", count)
	}
}

func TestExpectContinue(t *testing.T) {
	s := serve(t, newRepo(t, nil))
	conn := s.dial(t)
	fmt.Fprintf(conn, "POST %sdata/%s HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n", base, nameOf("content"))
	r := bufio.NewReader(conn)
	if head := readHead(t, r); !strings.HasPrefix(head, "HTTP/1.1 100 ") {
		t.Fatalf("before the body: %s", head)
	}
	if _, err := io.WriteString(conn, "content"); err != nil {
		t.Fatal(err)
	}
	if head := readHead(t, r); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Errorf("after the body: %s", head)
	}
}

func TestRefusalIsHeardBeforeALargeBodyIsSent(t *testing.T) {
	s := serve(t, newRepo(t, nil))
	conn := s.dial(t)
	// The body never comes: whoever waited for it would wait for ever.
	fmt.Fprintf(conn, "POST %sconfig HTTP/1.1\r\nHost: h\r\nContent-Length: 134217728\r\nExpect: 100-continue\r\n\r\n", base)
	if head := readHead(t, bufio.NewReader(conn)); !strings.HasPrefix(head, "HTTP/1.1 400 ") {
		t.Errorf("answer: %s", head)
	}
}

func TestRefusalReachesAClientThatSendsALargeBody(t *testing.T) {
	store := &hooked{
		Store: storetest.NewMem(),
		put:   func(context.Context, string, int64, io.Reader) error { return storage.ErrUnavailable },
	}
	s := serve(t, store)
	conn := s.dial(t)
	const size = 16 << 20
	fmt.Fprintf(conn, "POST %sdata/%s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", base, nameOf("x"), size)
	// As restic does, which hears the answer while it sends; at some time the server
	// has enough, and ends the connection.
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.CopyN(conn, neverEnding('x'), size)
	}()
	if head := readHead(t, bufio.NewReader(conn)); !strings.HasPrefix(head, "HTTP/1.1 503 ") {
		t.Errorf("answer: %s", head)
	}
	conn.Close()
	<-sent
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// In a bubble the test knows when a request waits, so Serve is called directly.
type exchange struct {
	*httptest.ResponseRecorder
	err  error
	done atomic.Bool
}

func start(t *testing.T, h *rest.Handler, method string, target rest.Target, body io.Reader, length int64) *exchange {
	t.Helper()
	x := &exchange{ResponseRecorder: httptest.NewRecorder()}
	r := httptest.NewRequestWithContext(t.Context(), method, "/", body)
	r.ContentLength = length
	go func() {
		x.err = h.Serve(x, r, asked(r, target))
		x.done.Store(true)
	}()
	return x
}

func TestDeleteWaitsForTheUploadOfTheSameObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := rest.NewHandler()
		mem := storetest.NewMem()
		target := rest.Target{Store: mem, Destination: "d", Repo: repo, Type: object.Data, Name: nameOf("content")}
		body, client := io.Pipe()
		upload := start(t, h, "POST", target, body, 7)
		if _, err := io.WriteString(client, "conten"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		remove := start(t, h, "DELETE", target, nil, 0)
		synctest.Wait() // so that it is first in the queue
		again := start(t, h, "POST", target, strings.NewReader("content"), 7)
		other := target
		other.Name = nameOf("another")
		elsewhere := start(t, h, "DELETE", other, nil, 0)
		look := start(t, h, "HEAD", target, nil, 0)
		synctest.Wait()
		if upload.done.Load() || remove.done.Load() || again.done.Load() {
			t.Errorf("while the upload is under way: upload done %v, delete %v, second upload %v", upload.done.Load(), remove.done.Load(), again.done.Load())
		}
		if !elsewhere.done.Load() || elsewhere.err != nil {
			t.Errorf("another object waited too, or failed: %v", elsewhere.err)
		}
		if !look.done.Load() || !errors.Is(look.err, fs.ErrNotExist) {
			t.Errorf("HEAD waited too, or found half an object: %v", look.err)
		}

		if _, err := io.WriteString(client, "t"); err != nil {
			t.Fatal(err)
		}
		client.Close()
		synctest.Wait()
		for about, x := range map[string]*exchange{"upload": upload, "delete": remove, "second upload": again} {
			if !x.done.Load() || x.err != nil || x.Code != 200 {
				t.Errorf("%s: done %v, %v", about, x.done.Load(), x.err)
			}
		}
		if _, ok := stored(t, mem, "data/"+target.Name[:2]+"/"+target.Name); !ok {
			t.Error("the delete removed what the request after it had stored")
		}
	})
}

func TestWaitingEndsWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := rest.NewHandler()
		target := rest.Target{Store: storetest.NewMem(), Repo: repo, Type: object.Data, Name: nameOf("content")}
		body, client := io.Pipe()
		upload := start(t, h, "POST", target, body, 7)
		synctest.Wait()
		for method, length := range map[string]int64{"DELETE": 0, "POST": 7} {
			ctx, cancel := context.WithCancel(t.Context())
			r := httptest.NewRequestWithContext(ctx, method, "/", strings.NewReader("content"))
			r.ContentLength = length
			failed := make(chan error, 1)
			go func() { failed <- h.Serve(httptest.NewRecorder(), r, asked(r, target)) }()
			synctest.Wait()
			cancel()
			if err := <-failed; !errors.Is(err, context.Canceled) {
				t.Errorf("%s ended with %v", method, err)
			}
		}
		client.CloseWithError(io.ErrUnexpectedEOF)
		synctest.Wait()
		if !errors.Is(upload.err, storage.ErrShort) {
			t.Errorf("the upload ended with %v", upload.err)
		}
	})
}

// TestPutIsVerifiedAsPostIs is the upload of a client of WebDAV, which copies a
// repository and takes 201 for a success.
func TestPutIsVerifiedAsPostIs(t *testing.T) {
	name := "data/" + nameOf("right")
	s := serve(t, newRepo(t, nil))
	s.run(t, []call{
		{about: "put wrongly", method: "PUT", path: name, body: "wrong", status: 400},
		{about: "look", method: "HEAD", path: name, status: 404},
		{about: "put", method: "PUT", path: name, body: "right", status: 201},
		{about: "put again", method: "PUT", path: name, body: "right", status: 201},
		{about: "load", method: "GET", path: name, status: 200, text: new("right")},
		{about: "replace config", method: "PUT", path: "config", body: sealed("another"), status: 403},
	})
}
