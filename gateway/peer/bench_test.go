package peer

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// BenchmarkUploadThroughAHop has the client, the hop and the peer in one process: what the
// hop alone costs is what it takes beyond BenchmarkUploadWithoutAHop.
func BenchmarkUploadThroughAHop(b *testing.B) {
	w := newWorld(b)
	w.place(b, "10.5.4.2", peerThat("2", swallow))
	_, job := object("x")
	link := w.link("2", "10.5.4.2:4694", onNode2)
	benchmarkUpload(b, func(rw http.ResponseWriter, r *http.Request) {
		if err := link.Forward(rw, r, job); err != nil {
			rw.WriteHeader(refusal.Status(err))
		}
	})
}

func BenchmarkUploadWithoutAHop(b *testing.B) { benchmarkUpload(b, swallow) }

func swallow(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }

func benchmarkUpload(b *testing.B, h http.HandlerFunc) {
	front := httptest.NewServer(h)
	defer front.Close()
	const size = 16 << 20
	b.SetBytes(size)
	b.ReportAllocs()
	before := cpuSeconds(b)
	for b.Loop() {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, front.URL+"/"+onNode2+"/"+repo+"/data/x", io.LimitReader(zeros{}, size))
		if err != nil {
			b.Fatal(err)
		}
		r.ContentLength = size
		resp, err := front.Client().Do(r)
		if err != nil {
			b.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			b.Fatal("status " + strconv.Itoa(resp.StatusCode))
		}
	}
	b.ReportMetric((cpuSeconds(b)-before)/(float64(b.N)*size/(1<<30)), "cpu-s/GiB")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
