//go:build unix

package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// BenchmarkRequests sends small requests through a whole gateway to a local
// destination, over one connection. The client writes what was made before, so that
// the allocations are the server's; of the processor time it takes a share that is
// always the same.
func BenchmarkRequests(b *testing.B) {
	c := benchGateway(b)
	content := bytes.Repeat([]byte("0123456789abcdef"), 64)
	name := fmt.Sprintf("%x", sha256.Sum256(content))
	c.send(b, c.request(http.MethodPost, "data/"+name, content, nil), 0)
	for _, bm := range []struct {
		name     string
		requests [][]byte
		body     int // of each answer
	}{
		{"HEAD", [][]byte{c.request(http.MethodHead, "data/"+name, nil, nil)}, 0},
		{"GET 1 KiB", [][]byte{c.request(http.MethodGet, "data/"+name, nil, nil)}, len(content)},
		{"range of 64 B", [][]byte{c.request(http.MethodGet, "data/"+name, nil, http.Header{"Range": {"bytes=100-163"}})}, 64},
		{"POST and DELETE 1 KiB", [][]byte{
			c.request(http.MethodPost, "locks/"+name, content, nil), c.request(http.MethodDelete, "locks/"+name, nil, nil),
		}, 0},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				for _, request := range bm.requests {
					c.send(b, request, bm.body)
				}
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// benchClient is a module with one connection.
type benchClient struct {
	conn   net.Conn
	answer *bufio.Reader
	root   string // of the destination
}

func benchGateway(b testing.TB) *benchClient {
	b.Helper()
	root := b.TempDir()
	server := redistest.Start(b)
	server.SetupNS8()
	server.AddModules(redistest.Module{ID: "mail2", UUID: ownUUID, Node: "1"})
	server.AddLocalDestination(destID, root)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	opts := Defaults()
	opts.Listeners = []net.Listener{listener}
	opts.Redis = catalog.Redis{Address: server.Addr, Username: "node/1", Password: redistest.Password("node/1")}
	opts.Load = catalog.LoadOptions{NodeID: "1"}
	opts.StateDir = b.TempDir()
	opts.Log = discard
	g, err := New(opts)
	if err != nil {
		b.Fatal(err)
	}
	g.Start()
	b.Cleanup(func() { _ = g.Stop(context.Background()) })
	if err := g.Reload(b.Context()); err != nil {
		b.Fatal(err)
	}
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return &benchClient{conn, bufio.NewReader(conn), root}
}

// request is one as restic writes it.
func (c *benchClient) request(method, object string, body []byte, more http.Header) []byte {
	r := httptest.NewRequest(method, "http://gateway/"+destID+"/mail/"+ownUUID+"/"+object, bytes.NewReader(body))
	r.SetBasicAuth("module/mail2", redistest.Password("module/mail2"))
	r.Header.Set("Accept", rest.MediaTypeV2)
	maps.Copy(r.Header, more)
	var wire bytes.Buffer
	_ = r.Write(&wire) // a buffer takes everything
	return wire.Bytes()
}

// send sends a request and reads the answer: a success, with so long a body.
func (c *benchClient) send(b testing.TB, request []byte, body int) {
	b.Helper()
	c.sendFor(b, "HTTP/1.1 20", request, body)
}

// sendFor is send for an answer that begins with that.
func (c *benchClient) sendFor(b testing.TB, begins string, request []byte, body int) {
	b.Helper()
	if _, err := c.conn.Write(request); err != nil {
		b.Fatal(err)
	}
	for first := true; ; first = false {
		line, err := c.answer.ReadSlice('\n')
		if err != nil || first && string(line[:len(begins)]) != begins {
			b.Fatalf("%q, %v", line, err)
		}
		if len(line) == 2 {
			break
		}
	}
	if _, err := c.answer.Discard(body); err != nil {
		b.Fatal(err)
	}
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
