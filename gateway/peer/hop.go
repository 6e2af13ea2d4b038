package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/wire"
)

// Job describes a request to be forwarded, as far as this package needs it.
type Job struct {
	Destination string
	// Repo, Type and Name identify an object of the restic protocol; Restic is false for
	// other requests.
	Restic bool
	Repo   string
	Type   object.Type
	Name   string
	// Past is true for a past state of a repository, which only gateways of this kind
	// serve.
	Past bool
	// Node is true for a request of a node, which may replace a config and add keys.
	Node bool
	// Recheck reads Redis again and returns the error that the caller now gets; nil if this
	// node still admits the request.
	Recheck func(context.Context) error
}

// hop is one request being forwarded.
type hop struct {
	link   *Link
	cancel context.CancelCauseFunc
	moved  atomic.Int64 // time of the last progress in either direction, in Unix nanoseconds
	conn   *conn        // to the peer; nil until it is known
}

func (h *hop) move() { h.moved.Store(time.Now().UnixNano()) }

func (l *Link) begin(ctx context.Context) (context.Context, *hop) {
	ctx, cancel := context.WithCancelCause(ctx)
	h := &hop{link: l, cancel: cancel}
	ctx = httptrace.WithClientTrace(ctx, h.traced())
	h.move()
	l.active.Add(1)
	l.used.Store(time.Now().UnixNano())
	l.peers.mu.Lock()
	defer l.peers.mu.Unlock()
	l.peers.hops[h] = struct{}{}
	return ctx, h
}

func (h *hop) end() {
	h.cancel(nil)
	h.link.active.Add(-1)
	h.link.peers.mu.Lock()
	defer h.link.peers.mu.Unlock()
	delete(h.link.peers.hops, h)
}

// Forward forwards a request and passes on the peer's response. The caller turns an error
// before the first byte of the response into a status; after a later error it must abort
// the connection.
func (l *Link) Forward(w http.ResponseWriter, r *http.Request, job *Job) error {
	if err := l.meet(r.Context()); err != nil {
		return err
	}
	if job.Past && !l.ours.Load() {
		return fmt.Errorf("%w: the program on node %s has no repositories as they were", refusal.ErrNotFound, l.Node)
	}
	ctx, h := l.begin(r.Context())
	defer h.end()
	if done, err := l.keep(ctx, w, r, job); done || err != nil {
		return err
	}
	body := l.bodyOf(w, r, job, h)
	defer body.stop()
	resp, err := l.peers.transport.RoundTrip(l.outgoing(ctx, r, body))
	if err != nil {
		return l.failed(ctx, r.Context(), body, err)
	}
	defer resp.Body.Close()
	h.move()
	if err := l.judge(ctx, r, resp, job); err != nil {
		if failure := body.failure(); failure != nil {
			return failure
		}
		return err
	}
	return l.answer(ctx, w, r, resp, h)
}

// outgoing returns the request to the peer, with the caller's own credentials.
func (l *Link) outgoing(ctx context.Context, r *http.Request, body *sending) *http.Request {
	out := r.Clone(ctx)
	out.RequestURI = ""
	out.URL.Scheme, out.URL.Host = "http", l.address
	out.Close = false
	for _, list := range out.Header.Values("Connection") {
		for name := range strings.SplitSeq(list, ",") {
			out.Header.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range []string{
		"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Forwarded", "X-Forwarded-For",
	} {
		out.Header.Del(name)
	}
	out.Trailer, out.TransferEncoding = nil, nil
	if _, given := out.Header["User-Agent"]; !given {
		out.Header.Set("User-Agent", "") // otherwise it would be Go's
	}
	out.Header.Set(HeaderHop, l.peers.opts.NodeID)
	out.Body, out.GetBody = body, nil
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	return out
}

// failed explains why there is no response.
func (l *Link) failed(ctx, caller context.Context, body *sending, err error) error {
	if failure := body.failure(); failure != nil {
		return failure
	}
	if caller.Err() != nil {
		return caller.Err()
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if _, dialing := errors.AsType[*dialError](err); dialing {
		l.lost(err)
	}
	return fmt.Errorf("%w: node %s: %w", refusal.ErrPeer, l.Node, err)
}

// passed are the response headers that are passed on to the client.
var passed = []string{
	"Accept-Ranges", "Allow", "Cache-Control", "Content-Encoding", "Content-Range", "Content-Type", "Dav", "Etag",
	"Last-Modified", "Location", "Ms-Author-Via", "Retry-After", "Vary", rest.HeaderSavedBy, "X-Content-Type-Options", "X-Request-Id",
}

// answer passes the peer's response on to the client.
func (l *Link) answer(ctx context.Context, w http.ResponseWriter, r *http.Request, resp *http.Response, h *hop) error {
	header := w.Header()
	for _, name := range passed {
		if values := resp.Header[name]; len(values) > 0 {
			header[name] = values
		}
	}
	if length := resp.Header["Content-Length"]; len(length) == 1 && (resp.ContentLength >= 0 || r.Method == http.MethodHead) {
		header["Content-Length"] = length
	}
	w.WriteHeader(resp.StatusCode)
	if r.Method == http.MethodHead {
		return nil
	}
	if resp.ContentLength < 0 {
		if f, ok := w.(http.Flusher); ok {
			f.Flush() // so that a long list begins at once
		}
	}
	from := &receiving{src: resp.Body, hop: h}
	if err := h.relay(w, from, resp.ContentLength); err != nil {
		if from.err != nil && r.Context().Err() == nil {
			return fmt.Errorf("%w: node %s broke off: %w", refusal.ErrPeer, l.Node, errors.Join(context.Cause(ctx), from.err))
		}
		return err
	}
	return nil
}

// relay passes on the body of a response, of that length if it is not negative.
func (h *hop) relay(w io.Writer, from *receiving, length int64) error {
	if length >= spliceFrom && h.conn != nil {
		if tcp, ok := h.conn.Conn.(*net.TCPConn); ok {
			return h.splice(w, from, tcp, length)
		}
	}
	_, err := io.Copy(w, from)
	return err
}

// receiving is the body of a response.
type receiving struct {
	src io.Reader
	hop *hop
	err error
}

func (b *receiving) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	if n > 0 {
		b.hop.move()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// sending is the body of a request. The transport reads it in a goroutine that could
// outlive the request, if stop did not prevent that.
type sending struct {
	mu      sync.Mutex
	src     io.Reader
	hop     *hop
	stopped bool
	err     error         // of reading it
	to      *net.TCPConn  // destination of a splice; nil without one
	spliced chan struct{} // closed at the end of the splice
}

// detacher is a response that can hand over its connection for the body of its request.
type detacher interface{ Detach(r *http.Request) bool }

// bodyOf returns the body. For a peer that publishes incomplete uploads, the body is
// verified on the way: the last byte is held back until the hash matches the object's name.
func (l *Link) bodyOf(w http.ResponseWriter, r *http.Request, job *Job, h *hop) *sending {
	stores := r.Method == http.MethodPost || r.Method == http.MethodPut
	if !l.ours.Load() && stores && job.Restic && job.Name != "" && r.ContentLength >= 0 {
		return &sending{src: rest.Verify(r.Body, r.ContentLength, job.Name), hop: h}
	}
	if d, ok := w.(detacher); ok && r.ContentLength >= spliceFrom {
		d.Detach(r)
	}
	return &sending{src: r.Body, hop: h}
}

// Read implements io.Reader.
func (b *sending) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.src.Read(p)
	if n > 0 {
		b.hop.move()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// Close implements io.Closer. The server closes the body itself.
func (b *sending) Close() error { return nil }

// sendTo lets the kernel send up to n bytes, as many as it can send by itself.
func (b *sending) sendTo(to *net.TCPConn, n int64) (int64, error) {
	b.mu.Lock()
	if b.stopped {
		b.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	}
	b.to, b.spliced = to, make(chan struct{})
	b.mu.Unlock()
	sent, err := wire.SendBody(to, b.src, n, b.hop.move)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.to = nil
	close(b.spliced)
	switch {
	case b.stopped && err == nil:
		_ = to.SetWriteDeadline(time.Time{}) // another request may use the connection
	case errors.Is(err, wire.ErrSource), errors.Is(err, refusal.ErrStalled), errors.Is(err, io.ErrUnexpectedEOF):
		b.err = err
	}
	return sent, err
}

// stop waits for a running Read, and prevents further ones. It aborts a splice.
func (b *sending) stop() {
	b.mu.Lock()
	b.stopped = true
	spliced := b.spliced
	if b.to != nil {
		wire.Interrupt(b.src)
		_ = b.to.SetWriteDeadline(time.Unix(1, 0)) // a closed connection needs no deadline
	}
	b.mu.Unlock()
	if spliced != nil {
		<-spliced
	}
}

// failure returns the error of the body, if there was one.
func (b *sending) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}
