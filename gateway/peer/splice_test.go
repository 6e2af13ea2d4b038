package peer

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// large is a body that the kernel moves.
func large() []byte { return bytes.Repeat([]byte("a body that is large\n"), 3*spliceFrom/20) }

// front is node 1 before a peer, for clients of its own.
func (w *world) front(t *testing.T) (url string, job *Job) {
	t.Helper()
	_, job = objectJob("x")
	server := httptest.NewServer(forwarding(w.link("2", "10.5.4.2:4694", onNode2), job))
	t.Cleanup(server.Close)
	return server.URL + "/" + onNode2 + "/" + repo + "/data/x", job
}

func TestLargeBodiesPassWholeAndKeepTheConnection(t *testing.T) {
	t.Parallel()
	content := large()
	w := newWorld(t)
	w.place(t, "10.5.4.2", peerThat("2", func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(content))
			return
		}
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		if want := sha256.Sum256(content); err != nil || n != int64(len(content)) || !bytes.Equal(sum.Sum(nil), want[:]) {
			rw.WriteHeader(http.StatusTeapot)
		}
	}))
	url, _ := w.front(t)
	for range 3 {
		resp, err := http.Post(url, "application/octet-stream", bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("the upload arrived otherwise: %d", resp.StatusCode)
		}
		for _, tt := range []struct {
			bytes string
			want  []byte
		}{{"", content}, {"bytes=5-", content[5:]}, {"bytes=100-1500099", content[100:1500100]}, {"bytes=0-9", content[:10]}} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if tt.bytes != "" {
				r.Header.Set("Range", tt.bytes)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || !bytes.Equal(got, tt.want) {
				t.Errorf("range %q: %d bytes that differ from the %d, %v", tt.bytes, len(got), len(tt.want), err)
			}
		}
	}
	// One for the first question to a peer, one for all requests.
	if dials := w.dialled(); dials != 2 {
		t.Errorf("%d connections to the peer, want 2", dials)
	}
}

func TestALargeDownloadThatBreaksOff(t *testing.T) {
	t.Parallel()
	content := large()
	w := newWorld(t)
	w.place(t, "10.5.4.2", peerThat("2", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", "100000000")
		_, _ = rw.Write(content)
		panic(http.ErrAbortHandler)
	}))
	_, job := objectJob("x")
	errs := make(chan error, 1)
	link := w.link("2", "10.5.4.2:4694", onNode2)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		errs <- link.Forward(rw, r, job)
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	resp, err := http.Get(server.URL + "/" + onNode2 + "/" + repo + "/data/x")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Errorf("%d bytes look complete", n)
	}
	if err := <-errs; !errors.Is(err, refusal.ErrPeer) {
		t.Errorf("the peer is not blamed: %v", err)
	}
}

// TestAPeerThatAnswersBeforeALargeBody refuses it without reading it, as a full disk does.
func TestAPeerThatAnswersBeforeALargeBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.place(t, "10.5.4.2", peerThat("2", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set(HeaderProven, "1")
		rw.WriteHeader(http.StatusInsufficientStorage)
	}))
	url, _ := w.front(t)
	resp, err := http.Post(url, "", bytes.NewReader(large()))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusInsufficientStorage {
		t.Errorf("answered %d, want 507", resp.StatusCode)
	}
}

// TestAPeerThatCrashesUnderALargeBody ends in an answer that a client repeats.
func TestAPeerThatCrashesUnderALargeBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.place(t, "10.5.4.2", peerThat("2", func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			panic(err)
		}
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}))
	url, _ := w.front(t)
	resp, err := http.Post(url, "", bytes.NewReader(bytes.Repeat(large(), 8)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("answered %d, want 503", resp.StatusCode)
	}
}
