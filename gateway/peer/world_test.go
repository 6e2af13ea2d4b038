package peer

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
	"github.com/rclone-gateway/rclone-gateway/gateway/wire"
)

// The destinations of the cluster: one on the disk of node 2, one in a cloud, and one
// that is a directory.
const (
	onNode2 = "76d73f29-7446-5baf-a700-3ad39be75475"
	inCloud = "5d5bfa40-4dd1-4b8e-9cf0-6f5cc2b6d1aa"
	onDisk  = "0f6d0c5e-54a5-4c11-8f11-3f0f6f2f7c01"
)

// world is what node 1 sees: nodes 2 and 3, of which 3 is the leader.
type world struct {
	*Peers

	view *live.View

	mu    sync.Mutex
	at    map[string]string // where an address leads; nowhere, where it is missing
	dials int
}

// proving is a store that shows which it is.
type proving struct {
	storage.Store
	proof string
}

func (p proving) Proof() string { return p.proof }

const ourProof = "the one disk"

func newWorld(t testing.TB) *world {
	t.Helper()
	node := func(id, ip string) *catalog.Node { return &catalog.Node{ID: id, IPAddress: netip.MustParseAddr(ip)} }
	snapshot := &catalog.Snapshot{
		LeaderID: "3",
		Nodes:    map[string]*catalog.Node{"1": node("1", "10.5.4.1"), "2": node("2", "10.5.4.2"), "3": node("3", "10.5.4.3")},
		Destinations: map[string]*catalog.Destination{
			onNode2: {ID: onNode2, Provider: "cluster", URL: "webdav:http://10.5.4.2:4694", PeerNode: "2"},
			inCloud: {ID: inCloud, Type: "s3"},
			onDisk:  {ID: onDisk, Type: "local"},
		},
	}
	open := func(context.Context, *catalog.Destination) (storage.Store, io.Closer, error) {
		return proving{storetest.NewMem(), ourProof}, nil, nil
	}
	w := &world{at: map[string]string{}}
	log := slog.New(slog.DiscardHandler)
	w.view, _ = live.NewView(nil, snapshot, open, nil, log)
	w.Peers = New(Options{NodeID: "1", Latest: func() *live.View { return w.view }, Dial: w.dial, Log: log})
	t.Cleanup(w.transport.CloseIdleConnections)
	return w
}

func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	to := w.at[address]
	w.dials++
	w.mu.Unlock()
	if to == "" {
		return nil, errors.New("no route to host")
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, to)
}

func (w *world) dialled() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dials
}

// place puts a server where a node's gateway is.
func (w *world) place(t testing.TB, ip string, h http.Handler) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	w.lead(ip, server.Listener.Addr().String())
}

func (w *world) lead(ip, to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at[ip+":4694"] = to
}

// peerThat answers probes as a gateway of ours does where node is not empty, and as
// HAProxy and rclone do otherwise.
func peerThat(node string, answer http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/"+r.URL.Path[1:37]+"/"+ProbeName {
			answer(w, r)
			return
		}
		if node != "" {
			w.Header().Set(HeaderGateway, node)
		}
		w.WriteHeader(http.StatusNotFound)
	})
}

// ask sends a request through node 1, and returns what its client sees.
func (w *world) ask(t *testing.T, r *http.Request, job *Job) *answer {
	t.Helper()
	link, err := w.Route(w.view, w.view.Mounts[job.Destination], true, false)
	if err != nil || link == nil {
		return &answer{code: refusal.Status(err), err: err}
	}
	got := &answer{ended: make(chan struct{})}
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		defer close(got.ended)
		counted := &counting{ResponseWriter: rw}
		if got.err = link.Forward(counted, r, job); got.err == nil {
			return
		}
		if counted.begun {
			panic(http.ErrAbortHandler)
		}
		rw.WriteHeader(refusal.Status(got.err))
	}))
	defer front.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out := r.Clone(ctx)
	out.URL.Scheme, out.URL.Host, out.RequestURI = "http", front.Listener.Addr().String(), ""
	resp, err := (&http.Transport{ExpectContinueTimeout: time.Minute, DisableKeepAlives: true}).RoundTrip(out)
	if err != nil {
		got.broken = err
	} else {
		defer resp.Body.Close()
		got.code, got.header = resp.StatusCode, resp.Header
		got.body, got.broken = io.ReadAll(resp.Body)
	}
	<-got.ended
	return got
}

type answer struct {
	code   int
	header http.Header
	body   []byte
	broken error // of the connection
	err    error // of Forward
	ended  chan struct{}
}

type counting struct {
	http.ResponseWriter
	begun bool
}

func (c *counting) WriteHeader(code int) {
	c.begun = true
	c.ResponseWriter.WriteHeader(code)
}

// settle asks every peer that is known once.
func (w *world) settle(t *testing.T) {
	t.Helper()
	for _, l := range w.allLinks() {
		l.probe(t.Context())
	}
}

func (w *world) allLinks() []*Link {
	w.Peers.mu.Lock()
	defer w.Peers.mu.Unlock()
	var all []*Link
	for _, l := range w.links {
		all = append(all, l)
	}
	return all
}

// forwarding passes requests on as the gateway does.
func forwarding(link *Link, job *Job) http.HandlerFunc {
	var detachments wire.Detachments
	return func(rw http.ResponseWriter, r *http.Request) {
		w := wire.NewResponse(rw, time.Minute, &detachments)
		defer w.Abort()
		r = r.WithContext(r.Context())
		r.Body = w.Watch(r.Body)
		err := link.Forward(&w, r, job)
		switch {
		case err != nil && w.Status != 0:
			w.Abort()
			panic(http.ErrAbortHandler)
		case err != nil:
			w.WriteHeader(refusal.Status(err))
		}
		w.End()
	}
}
