package peer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

const repo = "mail/2c1a6f0e-8d1c-4f7e-9d6b-0f1f4c4a7b10"

func objectJob(content string) (name string, job *Job) {
	sum := sha256.Sum256([]byte(content))
	name = hex.EncodeToString(sum[:])
	return name, &Job{
		Destination: onNode2, Restic: true, Repo: repo, Type: object.Data, Name: name,
		Recheck: func(context.Context) error { return nil },
	}
}

func request(t *testing.T, method string, job *Job, body io.Reader) *http.Request {
	t.Helper()
	path := "/" + job.Destination + "/" + job.Repo + "/" + job.Type.String()
	if job.Name != "" {
		path += "/" + job.Name
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://x"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("module/mail1", "secret")
	return r
}

func TestWhatAPeerAnswers(t *testing.T) {
	t.Parallel()
	refuse := func(code int, proven bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if proven {
				w.Header().Set(HeaderProven, "1")
			}
			w.Header().Set("Www-Authenticate", "Basic")
			w.WriteHeader(code)
		}
	}
	raw := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	}
	for _, tt := range []struct {
		name string
		peer http.HandlerFunc
		code int
	}{
		{"401 for whom we admit", refuse(401, false), 503},
		{"401 that claims to be proven", refuse(401, true), 503},
		{"403 for whom we admit", refuse(403, false), 503},
		{"403 of the protocol", refuse(403, true), 403},
		{"404 of a destination that it does not know yet", refuse(404, false), 503},
		{"404 of an object", refuse(404, true), 404},
		{"a loop", refuse(508, false), 508},
		{"a full disk", refuse(507, true), 507},
		{"a failure", refuse(500, false), 502},
		{"its own storage away", refuse(503, false), 502},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://10.5.4.3:4694/", http.StatusFound)
		}, 502},
		{"garbage", raw("220 mail.example ESMTP\r\n"), 502},
		{"nothing", raw(""), 503},
		{"endless headers", raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n"), 502},
		{"two lengths", raw("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), 502},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.place(t, "10.5.4.2", peerThat("2", tt.peer))
			_, job := objectJob("x")
			got := w.ask(t, request(t, http.MethodGet, job, nil), job)
			if got.code != tt.code && (tt.code != 502 || got.code != 503) {
				t.Errorf("%d (%v), want %d", got.code, got.err, tt.code)
			}
			if got.header.Get("Www-Authenticate") != "" {
				t.Error("the peer's demand for credentials reaches the client")
			}
		})
	}
}

func TestAShortBodyIsBrokenOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.place(t, "10.5.4.2", peerThat("2", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "half")
	}))
	_, job := objectJob("x")
	got := w.ask(t, request(t, http.MethodGet, job, nil), job)
	if got.broken == nil || !errors.Is(got.err, refusal.ErrPeer) {
		t.Errorf("a complete answer of %d bytes (%v)", len(got.body), got.err)
	}
}

func TestARefusalThatIsNewsHereIsOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.place(t, "10.5.4.2", peerThat("2", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	_, job := objectJob("x")
	job.Recheck = func(context.Context) error { return refusal.ErrScope }
	if got := w.ask(t, request(t, http.MethodGet, job, nil), job); got.code != http.StatusForbidden {
		t.Errorf("%d, want 403: Redis says so now", got.code)
	}
}

func TestARequestTravelsWithItsCredentialsAndNoForgedHeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	content := strings.Repeat("a body\n", 1<<16)
	w.place(t, "10.5.4.2", peerThat("2", func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		body, err := io.ReadAll(r.Body)
		if user != "module/mail1" || password != "secret" || string(body) != content || err != nil || r.ContentLength != int64(len(content)) {
			w.WriteHeader(http.StatusTeapot)
		}
		if hop := r.Header.Values(HeaderHop); len(hop) != 1 || hop[0] != "1" {
			w.WriteHeader(http.StatusConflict)
		}
		if r.Header.Get("X-Secret-Of-The-Connection") != "" || r.Header.Get("X-Forwarded-For") != "" {
			w.WriteHeader(http.StatusGone)
		}
		w.Header().Set("Server", "rclone/1.76")
	}))
	_, job := objectJob(content)
	r := request(t, http.MethodPost, job, strings.NewReader(content))
	r.Header.Set(HeaderHop, "7")
	r.Header.Set("Connection", "X-Secret-Of-The-Connection")
	r.Header.Set("X-Secret-Of-The-Connection", "x")
	r.Header.Set("X-Forwarded-For", "127.0.0.1")
	got := w.ask(t, r, job)
	if got.code != http.StatusOK || got.header.Get("Server") != "" {
		t.Errorf("%d %v (%v)", got.code, got.header, got.err)
	}
}

// TestContinueIsPassedOn: a client that waits for 100 sends nothing to a peer that
// refuses.
func TestContinueIsPassedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.place(t, "10.5.4.2", peerThat("2", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInsufficientStorage)
	}))
	_, job := objectJob("x")
	r := request(t, http.MethodPost, job, io.LimitReader(neverRead{t}, 1<<20))
	r.ContentLength = 1 << 20
	r.Header.Set("Expect", "100-continue")
	got := w.ask(t, r, job)
	if got.code != http.StatusInsufficientStorage {
		t.Errorf("%d (%v), want 507", got.code, got.err)
	}
}

type neverRead struct{ t *testing.T }

func (b neverRead) Read([]byte) (int, error) {
	b.t.Error("the client was told to continue")
	return 0, io.EOF
}

func TestAnUploadToRcloneIsVerifiedOnTheWay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, node string
		whole      bool
	}{
		{"HAProxy and rclone", "", false},
		{"one of ours, which verifies itself", "2", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var taken error
			done := make(chan struct{})
			w.place(t, "10.5.4.2", peerThat(tt.node, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet { // what an old peer has: nothing
					emptyRclone(w, r)
					return
				}
				defer close(done)
				_, taken = io.Copy(io.Discard, r.Body)
				if taken != nil {
					w.WriteHeader(http.StatusInternalServerError)
				}
			}))
			_, job := objectJob("what it should be")
			got := w.ask(t, request(t, http.MethodPost, job, bytes.NewReader(bytes.Repeat([]byte("damaged"), 1<<15))), job)
			<-done
			if (taken == nil) != tt.whole {
				t.Errorf("the peer read it to the end: %v", taken == nil)
			}
			if !tt.whole && (got.code != http.StatusBadRequest || !errors.Is(got.err, storage.ErrCorrupt)) {
				t.Errorf("%d (%v), want 400", got.code, got.err)
			}
		})
	}
}

func TestA404OfRcloneIsNoProof(t *testing.T) {
	t.Parallel()
	name, _ := objectJob("x")
	for _, tt := range []struct {
		what, list string
		code       int
		typ        object.Type
	}{
		{"it lists the object", `[{"name":"` + name + `","size":1}]`, 502, object.Data},
		{"it lists others", `[{"name":"0000","size":1}]`, 404, object.Data},
		{"it lists nothing", `[]`, 404, object.Data},
		{"its list is cut off", `[{"name":"0000","size":1}`, 502, object.Data},
		{"its list fails", ``, 502, object.Data},
		{"a config, and keys", `[{"name":"0000","size":1}]`, 502, object.Config},
		{"a config, and no keys", `[]`, 404, object.Config},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.place(t, "10.5.4.2", peerThat("", func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, "/") || tt.list == "" {
					w.WriteHeader(http.StatusNotFound)
					return
				}
				w.Header().Set("Content-Type", rest.MediaTypeV2)
				_, _ = io.WriteString(w, tt.list)
			}))
			_, job := objectJob("x")
			if job.Type = tt.typ; tt.typ == object.Config {
				job.Name = ""
			}
			got := w.ask(t, request(t, http.MethodGet, job, nil), job)
			if got.code != tt.code || (tt.code == 404) != errors.Is(got.err, fs.ErrNotExist) {
				t.Errorf("%d (%v), want %d", got.code, got.err, tt.code)
			}
		})
	}
}

// TestARequestDoesNotHangOnAPeerThatWentAway: nothing answers, nothing refuses.
func TestARequestDoesNotHangOnAPeerThatWentAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	w.place(t, "10.5.4.2", peerThat("2", func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	}))
	t.Cleanup(func() { close(release) }) // before the server's end, which waits for it
	_, job := objectJob("x")
	go func() {
		<-arrived
		w.cutStuck(time.Now().Add(time.Hour)) // the peer is up: it may take its time
		w.link("2", "10.5.4.2:4694", onNode2).lost(errors.New("probes"))
		w.cutStuck(time.Now().Add(time.Hour))
	}()
	got := w.ask(t, request(t, http.MethodGet, job, nil), job)
	if got.code != http.StatusServiceUnavailable || !errors.Is(got.err, refusal.ErrPeer) {
		t.Errorf("%d (%v), want 503", got.code, got.err)
	}
}

func TestADeadPeerCostsOneAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, job := objectJob("x")
	for range 3 {
		if got := w.ask(t, request(t, http.MethodGet, job, nil), job); got.code != http.StatusServiceUnavailable {
			t.Errorf("%d (%v), want 503", got.code, got.err)
		}
	}
	if n := w.dialled(); n != 1 {
		t.Errorf("%d connections were tried, want 1", n)
	}
	w.place(t, "10.5.4.2", peerThat("2", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	w.settle(t)
	if got := w.ask(t, request(t, http.MethodGet, job, nil), job); got.code != http.StatusServiceUnavailable {
		t.Errorf("%d after one probe that it answered", got.code)
	}
	w.settle(t)
	if got := w.ask(t, request(t, http.MethodGet, job, nil), job); got.code != http.StatusOK {
		t.Errorf("%d (%v) after it healed, want 200", got.code, got.err)
	}
}

// deaf accepts connections and never says anything.
func deaf(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

func TestAPeerThatNeverAnswersIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.lead("10.5.4.2", deaf(t))
	_, job := objectJob("x")
	got := w.ask(t, request(t, http.MethodGet, job, nil), job)
	if got.code != http.StatusServiceUnavailable || !errors.Is(got.err, refusal.ErrPeer) {
		t.Errorf("%d (%v), want 503", got.code, got.err)
	}
}
