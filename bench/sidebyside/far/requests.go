package far

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"time"
)

// Requests counts what a MinIO is asked: it is where that sends its audit log to.
type Requests struct {
	server *http.Server
	url    string

	mu    sync.Mutex
	count map[string]int
	last  time.Time
}

// Count begins to listen.
func Count() (*Requests, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Requests{url: "http://" + listener.Addr().String(), count: make(map[string]int)}
	r.server = &http.Server{Handler: http.HandlerFunc(r.hear), ReadHeaderTimeout: time.Minute}
	go func() { _ = r.server.Serve(listener) }() // until Stop
	return r, nil
}

// Stop ends it.
func (r *Requests) Stop() { _ = r.server.Close() }

// Environment is what MinIO must know.
func (r *Requests) Environment() []string {
	return []string{"MINIO_AUDIT_WEBHOOK_ENABLE_bench=on", "MINIO_AUDIT_WEBHOOK_ENDPOINT_bench=" + r.url}
}

func (r *Requests) hear(_ http.ResponseWriter, req *http.Request) {
	lines := json.NewDecoder(req.Body)
	for {
		var line struct {
			API struct{ Name string }
		}
		if lines.Decode(&line) != nil {
			return // MinIO's end, as a rule
		}
		r.mu.Lock()
		if line.API.Name != "" {
			r.count[line.API.Name]++
		}
		r.last = time.Now()
		r.mu.Unlock()
	}
}

// quiet is how long nothing has come before all counts as told.
const quiet = 500 * time.Millisecond

// Take returns the requests since it was called last, by their names in S3, once MinIO has
// told all of them.
func (r *Requests) Take(ctx context.Context) (map[string]int, error) {
	r.mu.Lock()
	r.last = time.Now()
	r.mu.Unlock()
	tick := time.NewTicker(quiet / 10)
	defer tick.Stop()
	for {
		if taken, all := r.takeQuiet(); all {
			return taken, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *Requests) takeQuiet() (taken map[string]int, all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.last) <= quiet {
		return nil, false
	}
	taken, r.count = r.count, make(map[string]int)
	return taken, true
}
