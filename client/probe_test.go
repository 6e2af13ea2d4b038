package client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

func TestProbe(t *testing.T) {
	tests := map[string]struct {
		statuses []int // one for each try, the last again and again
		exists   bool
		code     exitCode
		tries    int
	}{
		"it is there":                         {[]int{200}, true, exitOK, 1},
		"it is proven absent":                 {[]int{404}, false, exitOK, 1},
		"the destination is away":             {[]int{503}, false, exitUnreachable, 3},
		"it comes back":                       {[]int{502, 503, 200}, true, exitOK, 3},
		"it comes back, and is empty":         {[]int{503, 404}, false, exitOK, 2},
		"the module is refused":               {[]int{403}, false, exitForbidden, 1},
		"the password is refused":             {[]int{401}, false, exitForbidden, 1},
		"the quota is reached":                {[]int{507}, false, exitFull, 1},
		"what no gateway says proves nothing": {[]int{410}, false, exitFailed, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tries := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				user, password, _ := r.BasicAuth()
				if r.Method != http.MethodHead || r.URL.Path != "/d/a/u/config" || user != "module/a1" || password != "secret" {
					t.Errorf("request %s %s by %s", r.Method, r.URL, user)
				}
				w.WriteHeader(test.statuses[min(tries, len(test.statuses)-1)])
				tries++
			}))
			defer server.Close()
			p := probe{client: server.Client(), waits: make([]time.Duration, 2)}
			exists, err := p.exists(t.Context(), restic.Repository{URL: server.URL + "/d/a/u", User: "module/a1", Password: "secret"})
			code := exitOK
			if coded, ok := errors.AsType[*codedError](err); ok {
				code = coded.code
			}
			if exists != test.exists || code != test.code || tries != test.tries {
				t.Errorf("exists = %v, %v after %d tries; want %v, exit status %d, %d tries", exists, err, tries, test.exists, test.code, test.tries)
			}
		})
	}
}

func TestProbeWithoutAGateway(t *testing.T) {
	p := probe{client: http.DefaultClient}
	_, err := p.exists(t.Context(), restic.Repository{URL: "http://127.0.0.1:1/d/a/u", User: "module/a1", Password: "secret"})
	if coded, ok := errors.AsType[*codedError](err); !ok || coded.code != exitUnreachable {
		t.Errorf("error = %v, want one with exit status %d", err, exitUnreachable)
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		cancel(signalError{15})
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	p := probe{client: server.Client(), waits: []time.Duration{time.Hour}}
	_, err := p.exists(ctx, restic.Repository{URL: server.URL})
	if exitCodeOf(ctx, err) != 128+15 {
		t.Errorf("exit status %d, %v; want that of the signal", exitCodeOf(ctx, err), err)
	}
}
