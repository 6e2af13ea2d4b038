package compose

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// slowly returns the address of an engine that starts the container of one service
// only after that of another has failed: is unhealthy, or has ended. On a machine
// where nothing is in memory yet, seconds may lie between the two.
func (p *project) slowly(t *testing.T, service, after string) string {
	t.Helper()
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "engine"}) },
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", p.socket)
			},
			DisableCompression: true,
		},
		FlushInterval: -1,
	}
	socket := filepath.Join(filepath.Dir(p.socket), p.name+".sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, start := strings.CutSuffix(r.URL.Path, "/start"); start && strings.Contains(p.list(service, "{{.ID}}"), path.Base(id)) {
			p.waitFailed(after)
		}
		proxy.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return "unix://" + socket
}

// waitFailed returns when a service has failed, or no longer will.
func (p *project) waitFailed(service string) {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		if p.ended(service) || strings.Contains(p.list(service, "{{.Status}}"), "unhealthy") {
			return
		}
		select {
		case <-again.C:
		case <-limit.C:
			return
		}
	}
}

// list prints a field of the containers of a service; nothing where the engine fails.
func (p *project) list(service, field string) string {
	text, _ := p.docker(patience, "ps", "--all", "--no-trunc", "--format="+field,
		"--filter=label=com.docker.compose.project="+p.name, "--filter=label=com.docker.compose.service="+service)
	return text
}

// ended reports whether the containers of a service are there and have ended.
func (p *project) ended(service string) bool {
	return strings.Contains(p.list(service, "{{.Status}}"), "Exited")
}
