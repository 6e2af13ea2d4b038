package peer

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// BenchmarkUploadThroughAHop has the client, the hop and the peer in one process: what the
// hop alone costs is what it takes beyond BenchmarkUploadWithoutAHop.
func BenchmarkUploadThroughAHop(b *testing.B) {
	w := newWorld(b)
	w.place(b, "10.5.4.2", peerThat("2", swallow))
	_, job := objectJob("x")
	link := w.link("2", "10.5.4.2:4694", onNode2)
	benchmarkUpload(b, forwarding(link, job))
}

func BenchmarkUploadWithoutAHop(b *testing.B) { benchmarkUpload(b, swallow) }

func swallow(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }

func benchmarkUpload(b *testing.B, h http.HandlerFunc) {
	front := httptest.NewServer(h)
	defer front.Close()
	const size = 16 << 20
	b.SetBytes(size)
	b.ReportAllocs()
	before := testenv.CPUSeconds(b)
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
	b.ReportMetric((testenv.CPUSeconds(b)-before)/(float64(b.N)*size/(1<<30)), "cpu-s/GiB")
}

// BenchmarkRelay is the floor under a hop: bytes from one connection to another, without
// HTTP, by the kernel alone and in pieces of this size. Client and peer take part too.
func BenchmarkRelay(b *testing.B) {
	for _, tt := range []struct {
		name string
		copy func(to, from *net.TCPConn) (int64, error)
	}{
		{"splice", func(to, from *net.TCPConn) (int64, error) { return io.Copy(to, from) }},
		{"in pieces", func(to, from *net.TCPConn) (int64, error) { return (&conn{Conn: to}).copy(from) }},
		{"none", nil},
	} {
		b.Run(tt.name, func(b *testing.B) { benchmarkRelay(b, tt.copy) })
	}
}

func benchmarkRelay(b *testing.B, relay func(to, from *net.TCPConn) (int64, error)) {
	const size = 64 << 20
	b.SetBytes(size)
	before := testenv.CPUSeconds(b)
	for b.Loop() {
		client, to := connected(b)
		if relay != nil {
			from := to
			var peer *net.TCPConn
			peer, to = connected(b)
			go func() {
				_, _ = relay(peer, from)
				_ = errors.Join(peer.Close(), from.Close())
			}()
		}
		go func() {
			_, _ = (&conn{Conn: client}).copy(io.LimitReader(zeros{}, size))
			_ = client.Close()
		}()
		if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{to}, make([]byte, chunk)); n != size || err != nil {
			b.Fatal(n, err)
		}
		_ = to.Close()
	}
	b.ReportMetric((testenv.CPUSeconds(b)-before)/(float64(b.N)*size/(1<<30)), "cpu-s/GiB")
}

// connected are both ends of a connection.
func connected(b *testing.B) (client, server *net.TCPConn) {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		b.Fatal(err)
	}
	return conn.(*net.TCPConn), accepted.(*net.TCPConn)
}

// BenchmarkMemoryOfUploads has 64 uploads under way at once. What the hop needs is the
// difference of the two.
func BenchmarkMemoryOfUploads(b *testing.B) {
	w := newWorld(b)
	arrived := make(chan struct{})
	half := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, halfUpload)
		arrived <- struct{}{}
		_, _ = io.Copy(io.Discard, r.Body)
	}
	w.place(b, "10.5.4.2", peerThat("2", half))
	_, job := objectJob("x")
	link := w.link("2", "10.5.4.2:4694", onNode2)
	hop := forwarding(link, job)
	for name, handler := range map[string]http.HandlerFunc{"without a hop": half, "with a hop": hop} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(memoryOfUploads(b, handler, arrived), "MiB")
			}
		})
	}
}

const halfUpload = 2 << 20

func memoryOfUploads(b *testing.B, handler http.HandlerFunc, arrived <-chan struct{}) (mebibytes float64) {
	const uploads = 64
	front := httptest.NewServer(handler)
	defer front.Close()
	runtime.GC()
	runtime.GC() // empties the pools of buffers
	var before, during runtime.MemStats
	runtime.ReadMemStats(&before)
	var ends []*io.PipeWriter
	var all sync.WaitGroup
	for range uploads {
		body, end := io.Pipe()
		ends = append(ends, end)
		all.Go(func() {
			r, _ := http.NewRequestWithContext(b.Context(), http.MethodPost, front.URL+"/"+onNode2+"/"+repo+"/data/x", body)
			r.ContentLength = 2 * halfUpload
			if resp, err := front.Client().Do(r); err == nil {
				_ = resp.Body.Close()
			}
		})
		all.Go(func() { _, _ = io.CopyN(end, zeros{}, halfUpload) })
	}
	for range uploads {
		<-arrived
	}
	runtime.GC()
	runtime.ReadMemStats(&during)
	for _, end := range ends {
		all.Go(func() { _, _ = io.CopyN(end, zeros{}, halfUpload) })
	}
	all.Wait()
	return float64(int64(during.HeapInuse+during.StackInuse)-int64(before.HeapInuse+before.StackInuse)) / (1 << 20)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
