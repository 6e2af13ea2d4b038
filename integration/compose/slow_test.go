package compose

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// slowly returns the address of an engine that creates the container of one service
// only after that of another has failed: is unhealthy, or has ended. On a machine
// where nothing is in memory yet, seconds may lie between the two.
func (p *project) slowly(t *testing.T, service, after string) string {
	t.Helper()
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "engine"}) },
		Transport: &http.Transport{
			Dial:               func(_, _ string) (net.Conn, error) { return net.Dial("unix", p.socket) },
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
		// Compose 1 has "_" between the words of a container's name, Compose 2 "-".
		name := strings.ReplaceAll(r.URL.Query().Get("name"), "-", "_")
		if strings.HasSuffix(r.URL.Path, "/containers/create") && name == p.name+"_"+service+"_1" {
			p.waitFailed(r, after)
		}
		proxy.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return "unix://" + socket
}

// waitFailed returns when a service has failed, or the client is gone.
func (p *project) waitFailed(r *http.Request, service string) {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		status, err := p.docker(patience, "ps", "--all", "--format={{.Status}}",
			"--filter=label=com.docker.compose.project="+p.name, "--filter=label=com.docker.compose.service="+service)
		if err != nil || strings.Contains(status, "unhealthy") || strings.Contains(status, "Exited") {
			return
		}
		select {
		case <-again.C:
		case <-r.Context().Done():
			return
		}
	}
}
