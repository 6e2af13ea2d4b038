package lease

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// patience is far more than anything here takes.
const patience = time.Minute

// asked is a request that the gateway of a test got.
type asked struct {
	method, user string
	adminapi.LeaseRequest
}

// answers is a gateway that answers each request by a function, and notes it.
func answers(t *testing.T, answer func(asked) (int, any)) (*host.System, restic.Repository, <-chan asked) {
	t.Helper()
	heard := make(chan asked, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := asked{method: r.Method}
		user, password, _ := r.BasicAuth()
		a.user = user + ":" + password
		if r.URL.Path != adminapi.LeasePath || json.NewDecoder(r.Body).Decode(&a.LeaseRequest) != nil {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		heard <- a
		status, reply := answer(a)
		w.WriteHeader(status)
		if text, ok := reply.(string); ok {
			_, _ = io.WriteString(w, text)
			return
		}
		_ = json.NewEncoder(w).Encode(reply)
	}))
	t.Cleanup(server.Close)
	env := host.NewEnvironment(func(name string) (string, bool) {
		value, set := map[string]string{"NS8_GATEWAY_URL": server.URL}[name]
		return value, set
	})
	repository := restic.Repository{URL: server.URL + "/dest/mail/uuid", User: "module/mail1", Password: "secret"}
	return &host.System{Stdout: io.Discard, Stderr: io.Discard, Env: env}, repository, heard
}

func granted(seconds float64, dead ...string) adminapi.LeaseReply {
	return adminapi.LeaseReply{Token: "t", Counter: 7, Seconds: seconds, Dead: dead}
}

// await returns what a channel brings, in good time.
func await[T any](t *testing.T, what string, from <-chan T) (value T) {
	t.Helper()
	select {
	case value = <-from:
	case <-time.After(patience):
		t.Fatalf("waited without success for %s", what)
	}
	return value
}

func TestLeaseIsHeldFromGetToRelease(t *testing.T) {
	t.Parallel()
	sys, repository, heard := answers(t, func(asked) (int, any) { return http.StatusOK, granted(60, "host-b") })
	l, err := Get(t.Context(), sys, repository, "backup", "host-a")
	if err != nil {
		t.Fatal(err)
	}
	first := await(t, "the question", heard)
	if first.method != http.MethodPost || first.user != "module/mail1:secret" || first.Repository != "dest/mail/uuid" || first.Purpose != "backup" || !slices.Equal(first.Lockers, []string{"host-a"}) {
		t.Errorf("it asked %+v", first)
	}
	if l.Counter() != 7 || !slices.Equal(l.Dead(), []string{"host-b"}) || l.Context(t.Context()).Err() != nil {
		t.Errorf("it is %d, of the dead %q", l.Counter(), l.Dead())
	}
	l.AddLocker("host-a 4711") // which the gateway hears at once, not in a quarter of a minute
	if news := await(t, "the locker", heard); news.method != http.MethodPut || news.Token != "t" || !slices.Equal(news.Lockers, []string{"host-a", "host-a 4711"}) {
		t.Errorf("it renewed with %+v", news)
	}
	l.Release(t.Context(), true)
	if last := await(t, "the release", heard); last.method != http.MethodDelete || last.Token != "t" || !last.Clean {
		t.Errorf("it released with %+v", last)
	}
	if l.Context(t.Context()).Err() == nil {
		t.Error("what needs the lease goes on after its release")
	}
}

func TestLeaseIsRenewedForAsLongAsItIsHeld(t *testing.T) {
	t.Parallel()
	sys, repository, heard := answers(t, func(asked) (int, any) { return http.StatusOK, granted(0.2) })
	l, err := Get(t.Context(), sys, repository, "prune")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release(t.Context(), false)
	for range 10 { // longer than it lives
		await(t, "a renewal", heard)
	}
	if err := l.Context(t.Context()).Err(); err != nil {
		t.Errorf("it ended: %v", err)
	}
}

func TestWhatNeedsALeaseIsStoppedWhenItIsLost(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(asked) (int, any){
		"to somebody else": func(a asked) (int, any) {
			if a.method == http.MethodPut {
				return http.StatusOK, adminapi.LeaseReply{Lost: true}
			}
			return http.StatusOK, granted(0.1)
		},
		"since the gateway is away for longer than it lives": func(a asked) (int, any) {
			if a.method == http.MethodPut {
				return http.StatusServiceUnavailable, "away"
			}
			return http.StatusOK, granted(0.1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sys, repository, _ := answers(t, answer)
			l, err := Get(t.Context(), sys, repository, "prune")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Release(t.Context(), false)
			ctx := l.Context(t.Context())
			await(t, "the loss", ctx.Done())
			if cause := context.Cause(ctx); !errors.Is(cause, ErrLost) {
				t.Errorf("the cause is %v", cause)
			}
		})
	}
}

func TestLeaseEndsWithWhatItWasGotIn(t *testing.T) {
	t.Parallel()
	sys, repository, heard := answers(t, func(asked) (int, any) { return http.StatusOK, granted(60) })
	ctx, cancel := context.WithCancelCause(t.Context())
	l, err := Get(ctx, sys, repository, "check")
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the question", heard)
	interrupted := errors.New("interrupted")
	cancel(interrupted)
	if cause := context.Cause(l.Context(ctx)); !errors.Is(cause, interrupted) {
		t.Errorf("the cause is %v", cause)
	}
	l.Release(ctx, false) // also now
	if last := await(t, "the release", heard); last.method != http.MethodDelete {
		t.Errorf("it asked %+v", last)
	}
}

func TestNoLease(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, time.November, 30, 2, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		status        int
		reply         any
		locked        bool
		none, unknown bool
	}{
		"somebody holds it":             {http.StatusOK, adminapi.LeaseReply{Held: &adminapi.HeldLease{Holder: "node/1", Purpose: "prune", Since: since}}, true, false, false},
		"the gateway's Redis is away":   {http.StatusServiceUnavailable, "", false, true, false},
		"a proxy has no gateway":        {http.StatusBadGateway, "", false, true, false},
		"an older gateway, to a node":   {http.StatusNotFound, "", false, true, true},
		"an older gateway, to a module": {http.StatusForbidden, "", false, true, true},
		"a gateway without a node":      {http.StatusNotImplemented, "", false, true, true},
		"another program":               {http.StatusOK, "<html>", false, true, true},
		"another program, with JSON":    {http.StatusOK, "{}", false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sys, repository, _ := answers(t, func(asked) (int, any) { return test.status, test.reply })
			l, err := Get(t.Context(), sys, repository, "backup")
			none, unknown := IsNone(err)
			if l != nil || err == nil || none != test.none || unknown != test.unknown {
				t.Errorf("%v, none: %v, unknown: %v", err, none, unknown)
			}
			if locked := exit.CodeOf(t.Context(), err) == int(exit.Locked); locked != test.locked {
				t.Errorf("%v: locked is %v", err, locked)
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		sys, repository, _ := answers(t, nil)
		elsewhere := "http://127.0.0.1:1"
		sys.Env = host.NewEnvironment(func(string) (string, bool) { return elsewhere, true })
		repository.URL = elsewhere + "/dest/mail/uuid"
		if _, err := Get(t.Context(), sys, repository, "backup"); err == nil {
			t.Error("a lease of nobody")
		} else if none, unknown := IsNone(err); !none || unknown {
			t.Errorf("%v, none: %v, unknown: %v", err, none, unknown)
		}
	})
	t.Run("a repository that is not at the gateway", func(t *testing.T) {
		t.Parallel()
		sys, _, _ := answers(t, nil)
		if none, unknown := IsNone(func() error {
			_, err := Get(t.Context(), sys, restic.Repository{URL: "/srv/repo"}, "backup")
			return err
		}()); !none || !unknown {
			t.Errorf("none: %v, unknown: %v", none, unknown)
		}
	})
}

func TestNilIsNoLease(t *testing.T) {
	t.Parallel()
	var none *Lease
	none.AddLocker("x")
	none.Release(t.Context(), true)
	if none.Context(t.Context()) != t.Context() || none.Dead() != nil || none.Counter() != 0 {
		t.Error("it is something")
	}
}
