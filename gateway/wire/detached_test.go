package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// detaching is a server that sends the bodies of uploads on to a connection.
type detaching struct {
	*httptest.Server

	detachments Detachments
	stall       time.Duration
	begun       chan struct{} // an upload is about to be read
	ended       chan error    // of reading it
	received    bytes.Buffer  // what came out at the other end
	whole       chan struct{} // that is complete
}

func newDetaching(t *testing.T) *detaching {
	t.Helper()
	d := &detaching{stall: time.Minute, begun: make(chan struct{}, 1), ended: make(chan error, 1), whole: make(chan struct{})}
	d.Server = httptest.NewServer(http.HandlerFunc(d.serve))
	t.Cleanup(d.Close)
	return d
}

func (d *detaching) serve(rw http.ResponseWriter, r *http.Request) {
	w := NewResponse(rw, d.stall, &d.detachments)
	defer w.Abort()
	r = r.WithContext(r.Context())
	r.Body = w.Watch(r.Body)
	if !w.Detach(r) {
		w.WriteHeader(http.StatusNotImplemented)
		return
	}
	if r.URL.Path == "/refused" {
		w.WriteHeader(http.StatusInsufficientStorage)
		_, _ = io.WriteString(&w, "full")
		w.End()
		return
	}
	d.begun <- struct{}{}
	to, from := pipe()
	go func() {
		defer close(d.whole)
		_, _ = io.Copy(&d.received, from)
	}()
	_, err := SendBody(to, r.Body, r.ContentLength, func() {})
	_ = to.Close()
	<-d.whole
	d.ended <- err
	if err != nil {
		return
	}
	w.Header().Set("X-Received", strconv.FormatInt(w.Received, 10))
	w.End()
}

// pipe are both ends of a TCP connection.
func pipe() (to, from *net.TCPConn) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer listener.Close()
	dialled := make(chan net.Conn, 1)
	go func() {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			panic(err)
		}
		dialled <- conn
	}()
	accepted, err := listener.Accept()
	if err != nil {
		panic(err)
	}
	return (<-dialled).(*net.TCPConn), accepted.(*net.TCPConn)
}

func randomBytes(n int) []byte {
	content := make([]byte, n)
	source := rand.NewChaCha8([32]byte{})
	_, _ = source.Read(content)
	return content
}

func TestADetachedBodyArrivesWhole(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		size   int
		expect string
	}{{"small", 1, ""}, {"large", 5<<20 + 7, ""}, {"of a client that waits to be told", 3 << 20, "100-continue"}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDetaching(t)
			content := randomBytes(tt.size)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.URL, bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			if tt.expect != "" {
				r.Header.Set("Expect", tt.expect)
			}
			client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Hour}}
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK || !resp.Close || resp.ContentLength != 0 || resp.Header.Get("Date") == "" {
				t.Errorf("answered %d, close %v, %d bytes, %v", resp.StatusCode, resp.Close, resp.ContentLength, resp.Header)
			}
			if got := resp.Header.Get("X-Received"); got != strconv.Itoa(tt.size) {
				t.Errorf("counted %s bytes, want %d", got, tt.size)
			}
			if !bytes.Equal(d.received.Bytes(), content) {
				t.Errorf("%d other bytes arrived, want %d", d.received.Len(), tt.size)
			}
		})
	}
}

func TestAnAnswerBeforeTheBodyReachesTheClient(t *testing.T) {
	t.Parallel()
	d := newDetaching(t)
	conn, err := net.Dial("tcp", d.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 4194304\r\n\r\n")
	_, _ = conn.Write(make([]byte, 64<<10)) // and it is still sending
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusInsufficientStorage || string(text) != "full" || err != nil {
		t.Errorf("answered %d %q, %v", resp.StatusCode, text, err)
	}
}

// upload begins one, of which half is sent.
func (d *detaching) upload(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", d.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n")
	_, _ = conn.Write(make([]byte, 1000000))
	<-d.begun
	return conn
}

func TestADetachedBodyThatEndsEarly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		end  func(*detaching, net.Conn)
		want error
	}{
		{"the client hangs up", func(_ *detaching, c net.Conn) { _ = c.Close() }, io.ErrUnexpectedEOF},
		{"the client crashes", func(_ *detaching, c net.Conn) {
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}, ErrSource},
		{"the client says nothing", func(*detaching, net.Conn) {}, refusal.ErrStalled},
		{"the gateway stops", func(d *detaching, _ net.Conn) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if d.detachments.Wait(ctx) == nil {
				panic("nothing was to be waited for")
			}
		}, net.ErrClosed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDetaching(t)
			if errors.Is(tt.want, refusal.ErrStalled) {
				d.stall = 300 * time.Millisecond
			}
			conn := d.upload(t)
			tt.end(d, conn)
			if err := <-d.ended; !errors.Is(err, tt.want) {
				t.Errorf("it ended with %v, want %v", err, tt.want)
			}
			if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				_ = resp.Body.Close()
				t.Error("the client has an answer that looks complete")
			}
			if err := d.detachments.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPartsGrowOnlyWhileTheyAreFast(t *testing.T) {
	t.Parallel()
	var p Parts
	for range 10 {
		p.Done(p.Next(1 << 30))
	}
	if got := p.Next(1 << 30); got != largestPart {
		t.Errorf("fast parts are of %d bytes, want %d", got, largestPart)
	}
	p.begun = time.Now().Add(-2 * time.Second)
	p.Done(largestPart)
	if got := p.Next(1 << 30); got != smallestPart {
		t.Errorf("slow parts are of %d bytes, want %d", got, smallestPart)
	}
	if got := p.Next(5); got != 5 {
		t.Errorf("the last part is of %d bytes, want 5", got)
	}
}
