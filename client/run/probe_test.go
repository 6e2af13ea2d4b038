package run

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

func TestProbe(t *testing.T) {
	tests := map[string]struct {
		statuses []int // one for each try, the last again and again
		exists   bool
		code     exit.Code
		tries    int
	}{
		"it is there":                         {[]int{200}, true, exit.OK, 1},
		"it is proven absent":                 {[]int{404}, false, exit.OK, 1},
		"the destination is away":             {[]int{503}, false, exit.Unreachable, 3},
		"it comes back":                       {[]int{502, 503, 200}, true, exit.OK, 3},
		"it comes back, and is empty":         {[]int{503, 404}, false, exit.OK, 2},
		"the module is refused":               {[]int{403}, false, exit.Forbidden, 1},
		"the password is refused":             {[]int{401}, false, exit.Forbidden, 1},
		"the quota is reached":                {[]int{507}, false, exit.Full, 1},
		"what no gateway says proves nothing": {[]int{410}, false, exit.Failed, 1},
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
			p := Probe{client: server.Client(), waits: make([]time.Duration, 2)}
			exists, err := p.Exists(t.Context(), restic.Repository{URL: server.URL + "/d/a/u", User: "module/a1", Password: "secret"})
			code := exit.OK
			if coded, ok := errors.AsType[*exit.Error](err); ok {
				code = coded.Code
			}
			if exists != test.exists || code != test.code || tries != test.tries {
				t.Errorf("exists = %v, %v after %d tries; want %v, exit status %d, %d tries", exists, err, tries, test.exists, test.code, test.tries)
			}
		})
	}
}

func TestProbeWithoutAGateway(t *testing.T) {
	p := Probe{client: http.DefaultClient}
	_, err := p.Exists(t.Context(), restic.Repository{URL: "http://127.0.0.1:1/d/a/u", User: "module/a1", Password: "secret"})
	if coded, ok := errors.AsType[*exit.Error](err); !ok || coded.Code != exit.Unreachable {
		t.Errorf("error = %v, want one with exit status %d", err, exit.Unreachable)
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		cancel(exit.SignalError{Signal: 15})
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	p := Probe{client: server.Client(), waits: []time.Duration{time.Hour}}
	_, err := p.Exists(ctx, restic.Repository{URL: server.URL})
	if exit.CodeOf(ctx, err) != 128+15 {
		t.Errorf("exit status %d, %v; want that of the signal", exit.CodeOf(ctx, err), err)
	}
}
