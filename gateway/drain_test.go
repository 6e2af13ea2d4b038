package gateway

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/wire"
)

// pipes is a listener within a bubble, where only what a test does takes time.
type pipes struct {
	arrived chan net.Conn
	closed  chan struct{}
	close   func()
}

func newPipes() *pipes {
	p := &pipes{arrived: make(chan net.Conn), closed: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.closed) })
	return p
}

// dial connects, unless the listener is closed.
func (p *pipes) dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.arrived <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.arrived:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.close(); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// newPiped is a gateway behind such a listener, without a Redis.
func newPiped(t *testing.T) (*Gateway, *pipes) {
	t.Helper()
	listener := newPipes()
	opts := Defaults()
	opts.Listeners = []net.Listener{listener}
	opts.Redis = catalog.Redis{Address: t.TempDir() + "/nobody"}
	opts.Log = discard
	g, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return g, listener
}

func TestStopAnswersAConnectionThatWasAcceptedBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, listener := newPiped(t)
		g.Start()
		conn, err := listener.dial()
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		stopped := make(chan error, 1)
		go func() { stopped <- g.Stop(context.Background()) }()
		time.Sleep(wire.ArrivalGrace / 2) // of the bubble
		if _, err := listener.dial(); err == nil {
			t.Error("another connection is accepted")
		}
		if len(stopped) > 0 {
			t.Error("it stopped without an answer")
		}
		if _, err := fmt.Fprint(conn, "GET /-/healthy HTTP/1.1\r\nHost: gateway\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !resp.Close {
			t.Errorf("the answer is %d, the connection closes: %v", resp.StatusCode, resp.Close)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// TestStopWaitsForUploadsThatArePassedOn, whose connections net/http no longer knows.
func TestStopWaitsForUploadsThatArePassedOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, listener := newPiped(t)
		goOn := make(chan struct{})
		g.server.Handler = g.observer.Observe(func(w *observe.Response, r *http.Request) error {
			if !w.Detach(r) {
				t.Error("the connection stays with net/http")
			}
			<-goOn
			w.WriteHeader(http.StatusOK)
			return nil
		})
		g.Start()
		conn, err := listener.dial()
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody") }()
		synctest.Wait()
		stopped := make(chan error, 1)
		go func() { stopped <- g.Stop(context.Background()) }()
		time.Sleep(wire.ArrivalGrace / 2) // of the bubble
		if len(stopped) > 0 {
			t.Error("it stopped without an answer")
		}
		close(goOn)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("answered %v, %v", resp, err)
		}
		_ = resp.Body.Close()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}
