package metrics

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/coverage"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/metrics/metricstest"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/peer"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

func TestEveryStatusIsToldApart(t *testing.T) {
	t.Parallel()
	for _, kind := range refusal.Kinds() {
		if kind.Status != 0 && codeIndex(kind.Status) == len(codes) {
			t.Errorf("%d is \"other\"", kind.Status)
		}
	}
	if got := codeName(codeIndex(418)); got != "other" {
		t.Errorf("418 is %s", got)
	}
}

func TestMetricsFromManyRequestsAtOnce(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := New(registry)
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			for n := range 200 {
				r := aRequest
				r.Code, r.Sent = []int{200, 404, 503}[(i+n)%3], 1
				m.Began()
				m.Ended(r)
			}
			if _, err := registry.Gather(); err != nil {
				t.Error(err)
			}
		})
	}
	clients.Wait()
	if got := metricstest.Value(t, registry, "request_duration_seconds", "operation", "get", "type", "s3"); got != 1600 {
		t.Errorf("%v requests, want 1600", got)
	}
	if got := metricstest.Value(t, registry, "sent_bytes_total", "operation", "get", "type", "s3"); got != 1600 {
		t.Errorf("%v bytes, want 1600", got)
	}
	if got := metricstest.Value(t, registry, "requests_in_flight"); got != 0 {
		t.Errorf("%v in flight", got)
	}
}

var aRequest = Request{
	Operation: operation.Read, Destination: &catalog.Destination{ID: "id", Type: "s3"},
	Code: http.StatusOK, Took: time.Millisecond, Sent: 1 << 20, Received: 1,
}

func TestCountingARequestAllocatesNothing(t *testing.T) {
	m := New(prometheus.NewRegistry())
	if n := testing.AllocsPerRun(1000, func() { m.Ended(aRequest) }); n != 0 {
		t.Errorf("%v allocations for each request", n)
	}
}

func BenchmarkCountingARequest(b *testing.B) {
	m := New(prometheus.NewRegistry())
	b.ReportAllocs()
	for b.Loop() {
		m.Began()
		m.Ended(aRequest)
	}
}

// fixed is a State that never changes.
type fixed struct{ view *live.View }

func (f fixed) Latest() *live.View    { return f.view }
func (fixed) Ready() bool             { return true }
func (fixed) Failing() bool           { return false }
func (fixed) MaxStale() time.Duration { return time.Hour }
func (fixed) Status() []peer.Status   { return nil }

// BenchmarkScrape is with 1,000 destinations, each in use.
func BenchmarkScrape(b *testing.B) {
	snapshot := &catalog.Snapshot{Destinations: map[string]*catalog.Destination{}}
	for i := range 1000 {
		id := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		snapshot.Destinations[id] = &catalog.Destination{ID: id, Type: "s3"}
	}
	discard := slog.New(slog.DiscardHandler)
	v, _ := live.NewView(nil, snapshot, nil, nil, discard)
	for _, mount := range v.Mounts {
		if _, err := mount.Guard.Around(storetest.NewMem()).Stat(b.Context(), "config"); !errors.Is(err, fs.ErrNotExist) {
			b.Fatal(err)
		}
	}
	registry := prometheus.NewRegistry()
	New(registry)
	registry.MustRegister(NewCollector(fixed{v}, fixed{v}, coverage.New("", fixed{v}.Latest, discard)))
	handler := Handler(registry, discard)
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	}
}
