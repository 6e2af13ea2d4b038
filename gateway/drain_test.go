package gateway

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

func TestStopAnswersAConnectionThatWasAcceptedBefore(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	opts := Defaults()
	opts.Listeners = []net.Listener{listener}
	opts.Redis = catalog.Redis{Address: "127.0.0.1:1"} // never reached
	opts.Log = slog.New(slog.DiscardHandler)
	g, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	g.Start()

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	testenv.Until(t, 30*time.Second, "the connection to be accepted", func() bool { return g.arrivals.n.Load() == 1 })

	stopped := make(chan error, 1)
	go func() { stopped <- g.Stop(ctx) }()
	testenv.Until(t, 30*time.Second, "the listener to be closed", func() bool {
		another, err := net.Dial("tcp", listener.Addr().String())
		if err == nil {
			_ = another.Close() // it was only a try
		}
		return err != nil
	})
	fmt.Fprint(conn, "GET /-/healthy HTTP/1.1\r\nHost: gateway\r\n\r\n")
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
}
