package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// farewell is how long a client may still send and read after it got its answer.
	// Closing earlier would discard the answer to a client that is still sending.
	farewell = 5 * time.Second
	// unreadMax bounds what is read from the client meanwhile, in bytes.
	unreadMax = 64 << 20
)

// Detachments are the requests whose connections net/http no longer knows, so
// http.Server.Shutdown does not wait for them. The zero value is ready.
type Detachments struct {
	n     atomic.Int64
	conns sync.Map // of *detached
}

// Wait returns when all have ended. When ctx ends it aborts them, and returns ctx's error.
func (d *Detachments) Wait(ctx context.Context) error {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for d.n.Load() > 0 {
		select {
		case <-again.C:
		case <-ctx.Done():
			d.conns.Range(func(key, _ any) bool {
				if conn, ok := key.(*detached); ok {
					_ = conn.Close() // the request notices
				}
				return true
			})
			return ctx.Err()
		}
	}
	return nil
}

// socket is a connection from which the kernel can move data to another one.
type socket interface {
	net.Conn
	CloseWrite() error
}

// detached is a connection that was taken over from net/http for an upload: the rest of the
// request's body, and the answer. It serves no further request.
type detached struct {
	socket

	all    *Detachments
	in     *bufio.Reader // buffers the beginning of the body
	out    *bufio.Writer
	header http.Header
	left   int64 // rest of the body
	begun  bool  // the answer's header was written
	asked  bool  // the client waits for "100 Continue"
	ended  bool
}

// Detach takes over the connection of an upload from net/http, so that [SendBody] can pass
// on the body without reading it. It does so if possible, and then replaces r's body.
func (w *Response) Detach(r *http.Request) bool {
	if w.detachments == nil || w.Status != 0 || r.TLS != nil || !r.ProtoAtLeast(1, 1) || r.ProtoMajor != 1 || r.ContentLength <= 0 || w.body == nil {
		return false
	}
	header := w.Header()
	conn, buffers, err := w.control.Hijack()
	if err != nil {
		return false
	}
	plain, ok := conn.(socket)
	if !ok {
		plain = endless{conn}
	}
	d := &detached{
		socket: plain, all: w.detachments, in: buffers.Reader, out: buffers.Writer, header: header,
		left: r.ContentLength, asked: r.Header.Get("Expect") != "",
	}
	d.all.n.Add(1)
	d.all.conns.Store(d, nil)
	w.detached = d
	w.ResponseWriter = d
	w.control = *http.NewResponseController(d)
	w.writeDeadline = time.Time{}
	w.body.ReadCloser, w.body.deadline = detachedBody{d}, time.Time{}
	r.Body = w.body
	return true
}

// endless is a connection that cannot be half-closed.
type endless struct{ net.Conn }

func (endless) CloseWrite() error { return nil }

// detachedBody is the rest of a detached request's body.
type detachedBody struct{ *detached }

// Read implements io.Reader.
func (b detachedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if err := b.goOn(); err != nil {
		return 0, err
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, noEnd(err)
}

// Close implements io.Closer. The connection is closed after the answer.
func (detachedBody) Close() error { return nil }

// goOn sends "100 Continue" to a client that waits for it.
func (d *detached) goOn() error {
	if !d.asked {
		return nil
	}
	d.asked = false
	_, err := io.WriteString(d.socket, "HTTP/1.1 100 Continue\r\n\r\n")
	return err
}

// pass moves n bytes of the body to another connection, starting with those that are
// buffered.
func (d *detached) pass(to io.ReaderFrom, n int64) (int64, error) {
	if err := d.goOn(); err != nil {
		return 0, err
	}
	n = min(n, d.left)
	from := &io.LimitedReader{R: d.socket, N: n}
	if buffered := d.in.Buffered(); buffered > 0 {
		from = &io.LimitedReader{R: d.in, N: min(n, int64(buffered))}
	}
	want := from.N
	moved, err := to.ReadFrom(from)
	d.left -= moved
	switch {
	case err == nil && moved < want:
		err = io.ErrUnexpectedEOF
	case err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && hasEnded(d.socket):
		err = fmt.Errorf("%w: %w", ErrSource, err)
	}
	return moved, err
}

// ErrSource says that in a transfer between connections the source failed, not the
// destination.
var ErrSource = errors.New("the connection that is read broke off")

// hasEnded reports whether a connection has ended. It consumes a byte if not.
func hasEnded(conn net.Conn) bool {
	if conn.SetReadDeadline(time.Now().Add(time.Millisecond)) != nil {
		return true
	}
	_, err := conn.Read(make([]byte, 1))
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// noEnd turns an early EOF into an unexpected one.
func noEnd(err error) error {
	if err == io.EOF { //nolint:errorlint // as io.Reader has it
		return io.ErrUnexpectedEOF
	}
	return err
}

// Header implements http.ResponseWriter.
func (d *detached) Header() http.Header { return d.header }

// WriteHeader implements http.ResponseWriter. Without a length, the end of the connection
// is the end of the body.
func (d *detached) WriteHeader(code int) {
	if d.begun || code < http.StatusOK {
		return
	}
	d.begun = true
	d.header.Set("Connection", "close")
	d.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	// The writer keeps errors for the flush.
	_, _ = d.out.WriteString("HTTP/1.1 " + strconv.Itoa(code) + " " + http.StatusText(code) + "\r\n")
	_ = d.header.Write(d.out)
	_, _ = d.out.WriteString("\r\n")
}

// Write implements http.ResponseWriter.
func (d *detached) Write(p []byte) (int, error) {
	d.WriteHeader(http.StatusOK)
	return d.out.Write(p)
}

// FlushError is for http.ResponseController.
func (d *detached) FlushError() error { return d.out.Flush() }

// finish sends the rest and closes the connection.
func (d *detached) finish() {
	if d.ended {
		return
	}
	if !d.begun {
		d.header.Set("Content-Length", "0")
		d.WriteHeader(http.StatusOK)
	}
	if d.out.Flush() == nil && d.CloseWrite() == nil && d.left > 0 {
		_ = d.SetReadDeadline(time.Now().Add(farewell))
		_, _ = io.CopyN(io.Discard, d.in, unreadMax) // until the body or the connection ends
	}
	d.end()
}

// abort closes the connection so that the client does not take the answer for complete.
func (d *detached) abort() {
	if d.ended {
		return
	}
	if conn, ok := d.socket.(*net.TCPConn); ok {
		_ = conn.SetLinger(0) // a reset shows the client that something is wrong
	}
	d.end()
}

func (d *detached) end() {
	d.ended = true
	_ = d.Close() // it was flushed, or must break
	d.all.conns.Delete(d)
	d.all.n.Add(-1)
}

// End sends the answer of a detached request; for others net/http does that.
func (w *Response) End() {
	if w.detached != nil {
		w.renew()
		w.detached.finish()
	}
}

// Abort aborts a detached connection, unless it has ended.
func (w *Response) Abort() {
	if w.detached != nil {
		w.detached.abort()
	}
}

// SendBody moves up to n bytes of the body of a detached request to a connection, inside
// the kernel if possible; moved is called for each part. It sends nothing if src is not
// such a body.
func SendBody(to io.ReaderFrom, src io.Reader, n int64, moved func()) (sent int64, err error) {
	watched, ok := src.(*watchedBody)
	if !ok {
		return 0, nil
	}
	from, ok := watched.ReadCloser.(detachedBody)
	if !ok {
		return 0, nil
	}
	parts := Parts{}
	for sent < n && err == nil {
		watched.renew()
		var m int64
		m, err = from.pass(to, parts.Next(n-sent))
		parts.Done(m)
		sent += m
		watched.w.Received += m
		if m > 0 {
			moved()
		}
		if from.left == 0 {
			break
		}
	}
	return sent, watched.explain(err)
}

// Interrupt ends a SendBody that waits for the client.
func Interrupt(src io.Reader) {
	if watched, ok := src.(*watchedBody); ok {
		if from, ok := watched.ReadCloser.(detachedBody); ok {
			_ = from.SetReadDeadline(time.Unix(1, 0)) // a closed connection needs no deadline
		}
	}
}

// Parts divides a large transfer into parts, so that its progress is visible: each should
// take less than a second, even on slow networks. The zero value is ready.
type Parts struct {
	size  int64
	begun time.Time
}

const smallestPart, largestPart = 64 << 10, 1 << 20

// Next returns the size of the next part of the rest.
func (p *Parts) Next(left int64) int64 {
	if p.size == 0 {
		p.size = smallestPart
	}
	p.begun = time.Now()
	return min(p.size, left)
}

// Done records that so much of the part was moved.
func (p *Parts) Done(n int64) {
	switch took := time.Since(p.begun); {
	case took > time.Second:
		p.size = smallestPart
	case n == p.size && took < time.Second/4:
		p.size = min(2*p.size, largestPart)
	}
}
