package integration

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// pace is what a link does to what passes it; the zero pace does nothing.
type pace struct {
	perRequest     time.Duration
	bytesPerSecond int // in each direction
}

// slow is the line of a small office.
var slow = pace{50 * time.Millisecond, 1 << 20}

// link is the way from a gateway to a server: it counts, it may be slow, and it
// stays where it is when the server comes back on another port.
type link struct {
	address string          // where the gateway finds the server
	ctx     context.Context // ends with the test

	delay    atomic.Int64 // of each request, in nanoseconds
	up, down *rate.Limiter

	// requests is how often the gateway spoke after the server had: on protocols
	// that answer each request in turn, the number of requests.
	requests atomic.Int64
	sent     atomic.Int64 // bytes from the gateway
	refused  atomic.Int64 // connections while no server was there

	mu     sync.Mutex
	server string // host:port; empty while there is none
	conns  map[net.Conn]struct{}
}

// newLink opens a link that leads nowhere yet; it ends with the test.
func newLink(t *testing.T) *link {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &link{
		ctx:   ctx,
		up:    rate.NewLimiter(rate.Inf, linkBuffer),
		down:  rate.NewLimiter(rate.Inf, linkBuffer),
		conns: map[net.Conn]struct{}{},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.address = listener.Addr().String()
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		l.disconnect()
	})
	go l.serve(listener)
	return l
}

// linkBuffer is what passes a link at once.
const linkBuffer = 64 << 10

// become changes what the link does to what passes it from now on.
func (l *link) become(p pace) {
	l.delay.Store(int64(p.perRequest))
	limit := rate.Inf
	if p.bytesPerSecond > 0 {
		limit = rate.Limit(p.bytesPerSecond)
	}
	l.up.SetLimit(limit)
	l.down.SetLimit(limit)
}

// connect leads the link to a server.
func (l *link) connect(server string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server = server
}

// disconnect breaks all connections off, and lets no other through.
func (l *link) disconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server = ""
	for conn := range l.conns {
		_ = conn.Close()
	}
}

func (l *link) target() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.server
}

func (l *link) serve(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go l.pass(client, l.target())
	}
}

// pass connects a client and a server until one of them has enough.
func (l *link) pass(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		l.refused.Add(1)
		return
	}
	defer server.Close()
	if !l.keep(client, server) {
		return
	}
	defer l.forget(client, server)

	var answered atomic.Bool
	answered.Store(true)
	var both sync.WaitGroup
	both.Go(func() {
		l.copy(server, client, l.up, func(p []byte) []byte {
			l.sent.Add(int64(len(p)))
			if answered.Swap(false) {
				l.requests.Add(1)
				l.wait(time.Duration(l.delay.Load()))
			}
			return p
		})
	})
	both.Go(func() {
		l.copy(client, server, l.down, func(p []byte) []byte {
			answered.Store(true)
			return l.passive(p)
		})
	})
	both.Wait()
}

// copy passes one direction on until either end closes it, and tells the other.
func (l *link) copy(to, from net.Conn, limit *rate.Limiter, each func([]byte) []byte) {
	buffer := make([]byte, linkBuffer)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			p := each(buffer[:n])
			if limit.WaitN(l.ctx, n) != nil {
				return
			}
			if _, err := to.Write(p); err != nil {
				_ = from.Close() // what comes behind a broken end goes nowhere
				return
			}
		}
		if err != nil {
			_ = to.(*net.TCPConn).CloseWrite()
			return
		}
	}
}

func (l *link) wait(d time.Duration) {
	if d == 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.ctx.Done():
	}
}

// keep notes connections, so that disconnect finds them.
func (l *link) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server == "" {
		return false
	}
	for _, conn := range conns {
		l.conns[conn] = struct{}{}
	}
	return true
}

func (l *link) forget(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range conns {
		delete(l.conns, conn)
	}
}

// passiveFTP is the end of FTP's answer to EPSV, which names the port for data.
var passiveFTP = regexp.MustCompile(`^229 .*\(\|\|\|(\d+)\|\)\r\n$`)

// passive leads FTP's connections for data through the link as well. No other
// protocol says anything like it.
func (l *link) passive(answer []byte) []byte {
	match := passiveFTP.FindSubmatch(answer)
	if match == nil {
		return answer
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return answer
	}
	server := net.JoinHostPort("127.0.0.1", string(match[1]))
	go func() {
		stop := context.AfterFunc(l.ctx, func() { _ = listener.Close() })
		defer stop()
		client, err := listener.Accept()
		_ = listener.Close()
		if err == nil {
			l.pass(client, server)
		}
	}()
	return fmt.Appendf(nil, "229 Entering Extended Passive Mode (|||%d|)\r\n", listener.Addr().(*net.TCPAddr).Port)
}
