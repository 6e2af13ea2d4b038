package observe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/metrics"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

func newTestObserver(logger *slog.Logger) *Observer {
	return New(Options{Log: logger, Stall: time.Minute, Metrics: metrics.New(prometheus.NewRegistry())})
}

// observed serves h behind the one middleware.
func observed(t *testing.T, h Handler) (url string, log *testenv.Buffer) {
	t.Helper()
	log = &testenv.Buffer{}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	server := httptest.NewServer(newTestObserver(logger).Observe(h))
	t.Cleanup(server.Close)
	return server.URL, log
}

func get(t *testing.T, url string) (status int, header http.Header, body string, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(content), err
}

// TestEveryErrorHasItsStatus goes through the table row by row: the client hears
// the status alone, and the log the cause.
func TestEveryErrorHasItsStatus(t *testing.T) {
	t.Parallel()
	const cause = "bucket-and-key-of-the-provider"
	for _, tt := range []struct {
		err    error
		status int
		level  string
	}{
		{refusal.ErrUnauthenticated, 401, "INFO"},
		{refusal.ErrScope, 403, "INFO"},
		{refusal.ErrAddress, 403, "INFO"},
		{refusal.ErrForbidden, 403, "INFO"},
		{refusal.ErrNotFound, 404, "INFO"},
		{fs.ErrNotExist, 404, "INFO"},
		{refusal.ErrMethod, 405, "INFO"},
		{refusal.ErrStalled, 408, "INFO"},
		{refusal.ErrLength, 411, "INFO"},
		{storage.ErrCorrupt, 400, "INFO"},
		{storage.ErrShort, 400, "INFO"},
		{fs.ErrInvalid, 400, "INFO"},
		{fs.ErrExist, 409, "INFO"},
		{storage.ErrRange, 416, "INFO"},
		{refusal.ErrElsewhere, 502, "INFO"},
		{refusal.ErrInfiniteDepth, 403, "INFO"},
		{refusal.ErrConflict, 409, "INFO"},
		{refusal.ErrPrecondition, 412, "INFO"},
		{refusal.ErrTooLarge, 413, "INFO"},
		{refusal.ErrMediaType, 415, "INFO"},
		{errors.ErrUnsupported, 501, "INFO"},
		{syscall.ENOSPC, 507, "ERROR"},
		{syscall.EDQUOT, 507, "ERROR"},
		{syscall.EROFS, 507, "ERROR"},
		{storage.ErrReadOnly, 507, "ERROR"},
		{storage.ErrDenied, 502, "ERROR"},
		{refusal.ErrLoop, 508, "ERROR"},
		{refusal.ErrPeer, 503, "ERROR"},
		{refusal.ErrPeerRefuses, 503, "ERROR"},
		{refusal.ErrPeerAnswer, 502, "ERROR"},
		{refusal.ErrDefect, 500, "ERROR"},
		{refusal.ErrUnready, 503, "ERROR"},
		{storage.ErrUnavailable, 503, "ERROR"},
		{storage.ErrThrottled, 503, "ERROR"},
		// Nobody's but the remote's, and never "not found" nor "forbidden".
		{fs.ErrPermission, 502, "ERROR"},
		{syscall.EIO, 502, "ERROR"},
		{context.DeadlineExceeded, 502, "ERROR"},
		{io.ErrUnexpectedEOF, 502, "ERROR"},
		{errors.New("anything else"), 502, "ERROR"},
		// Two at once: what is about the caller goes first.
		{fmt.Errorf("%w: %w", storage.ErrUnavailable, fs.ErrNotExist), 503, "ERROR"},
		{fmt.Errorf("%w: %w", refusal.ErrUnready, context.DeadlineExceeded), 503, "ERROR"},
	} {
		t.Run(tt.err.Error(), func(t *testing.T) {
			t.Parallel()
			url, log := observed(t, func(*Response, *http.Request) error {
				return fmt.Errorf("%s: %w", cause, tt.err)
			})
			status, header, body, err := get(t, url)
			if err != nil {
				t.Fatal(err)
			}
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			if strings.Contains(body, cause) || !strings.Contains(body, header.Get("X-Request-Id")) {
				t.Errorf("the body is %q", body)
			}
			if got := header.Get("WWW-Authenticate"); (got == realm) != (tt.status == http.StatusUnauthorized) {
				t.Errorf("WWW-Authenticate is %q", got)
			}
			line := log.String()
			for _, part := range []string{"level=" + tt.level, fmt.Sprintf("status=%d", tt.status), cause, "req=" + header.Get("X-Request-Id")} {
				if !strings.Contains(line, part) {
					t.Errorf("no %q in the log: %s", part, line)
				}
			}
		})
	}
}

// TestWhatHasBegunIsCut neither completes an answer that failed in the middle,
// nor makes a success of one that never began.
func TestWhatHasBegunIsCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		handler Handler
		status  string // in the log
	}{
		{
			"with its length",
			func(w *Response, _ *http.Request) error {
				w.Header().Set("Content-Length", "10")
				_, _ = w.Write([]byte("half"))
				return storage.ErrUnavailable
			},
			"status=503",
		},
		{
			"without its length",
			func(w *Response, _ *http.Request) error {
				_, _ = w.Write([]byte(`[{"name":`))
				w.Flush()
				return errors.New("the list broke off")
			},
			"status=502",
		},
		{
			"by a defect",
			func(w *Response, _ *http.Request) error {
				_, _ = w.Write([]byte("half"))
				w.Flush()
				panic("a defect")
			},
			"status=500",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url, log := observed(t, tt.handler)
			if _, _, body, err := get(t, url); err == nil {
				t.Errorf("a complete answer: %q", body)
			}
			if !strings.Contains(log.String(), tt.status) {
				t.Errorf("no %s in the log: %s", tt.status, log)
			}
		})
	}
}

func TestAClientThatLeftIsNeverToldOfSuccess(t *testing.T) {
	t.Parallel()
	log := &testenv.Buffer{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	h := newTestObserver(logger).Observe(func(_ *Response, r *http.Request) error { return r.Context().Err() })
	ctx, leave := context.WithCancel(t.Context())
	leave()
	recorder := httptest.NewRecorder()
	func() {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler {
				t.Errorf("panic %v, want http.ErrAbortHandler", p)
			}
		}()
		h.ServeHTTP(recorder, httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader("body")))
	}()
	if recorder.Body.Len() > 0 || !strings.Contains(log.String(), "status=499") {
		t.Errorf("%d bytes were sent, and the log says %s", recorder.Body.Len(), log)
	}
}

func TestHintForAClientThatLeft(t *testing.T) {
	t.Parallel()
	if got := hint(refusal.StatusClientGone, refusal.ErrWrongPassword); !strings.Contains(got, "the client left") {
		t.Errorf("of a client that left: %q", got)
	}
}

func TestABodyThatBreaksOffIsCounted(t *testing.T) {
	t.Parallel()
	const destination = "aaaa"
	open := func(context.Context, *catalog.Destination) (storage.Store, io.Closer, error) {
		return storetest.NewMem(), nil, nil
	}
	snapshot := &catalog.Snapshot{Destinations: map[string]*catalog.Destination{destination: {ID: destination, Type: "s3"}}}
	v, _ := live.NewView(nil, snapshot, open, nil, slog.New(slog.DiscardHandler))
	s := v.Mounts[destination]
	m := metrics.New(prometheus.NewRegistry())
	server := httptest.NewServer(New(Options{Log: slog.New(slog.DiscardHandler), Stall: time.Minute, Metrics: m}).Observe(func(w *Response, _ *http.Request) error {
		w.Entry = Entry{Mount: s, Operation: operation.Read, Repo: "mail/0b8fbdc4-4d7d-4b2d-9a05-5d3a3f0e7c11", Type: object.Data, Name: strings.Repeat("0", 64)}
		_, _ = w.Write([]byte("half"))
		w.Flush()
		return errors.New("the storage broke off")
	}))
	defer server.Close()
	if _, _, _, err := get(t, server.URL); err == nil {
		t.Error("a complete answer")
	}
	if n := s.Guard.Report().Errors[refusal.BrokenOff]; n != 1 {
		t.Errorf("%d bodies broke off", n)
	}
}
