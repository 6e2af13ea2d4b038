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
	// farewell is how long a client may still send, and read, once it has its answer:
	// whoever closes earlier takes back the answer to a client that is still sending.
	farewell = 5 * time.Second
	// unreadMax bounds what is read from it meanwhile, in bytes.
	unreadMax = 64 << 20
)

// Detachments are the requests whose connections net/http no longer knows, so that
// http.Server.Shutdown does not wait for them. The zero value is ready.
type Detachments struct {
	n     atomic.Int64
	conns sync.Map // of *detached
}

// Wait returns when all have ended, or cuts them when ctx ends, and returns its error.
func (d *Detachments) Wait(ctx context.Context) error {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for d.n.Load() > 0 {
		select {
		case <-again.C:
		case <-ctx.Done():
			d.conns.Range(func(key, _ any) bool {
				if conn, ok := key.(*detached); ok {
					_ = conn.Close() // whoever uses it finds out
				}
				return true
			})
			return ctx.Err()
		}
	}
	return nil
}

// socket is a connection whose bytes the kernel can move to another one by itself.
type socket interface {
	net.Conn
	CloseWrite() error
}

// detached is a connection that was taken over from net/http for an upload: what is left
// of the request's body, and the answer to it. It serves no other request.
type detached struct {
	socket

	all    *Detachments
	in     *bufio.Reader // holds the beginning of the body
	out    *bufio.Writer
	header http.Header
	left   int64 // bytes of the body
	begun  bool  // the answer's header was written
	asked  bool  // the client waits to be told to continue
	ended  bool
}

// Detach takes the connection of an upload over from net/http, so that [SendBody] can
// pass its body on without reading it. It does so where that is possible, and changes
// r's body.
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

// endless is a connection that cannot be closed in one direction.
type endless struct{ net.Conn }

func (endless) CloseWrite() error { return nil }

// detachedBody is what is left of a detached request's body.
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

// Close implements io.Closer; the connection ends with the answer.
func (detachedBody) Close() error { return nil }

// goOn tells a client to send the body if it waits for that.
func (d *detached) goOn() error {
	if !d.asked {
		return nil
	}
	d.asked = false
	_, err := io.WriteString(d.socket, "HTTP/1.1 100 Continue\r\n\r\n")
	return err
}

// pass moves n bytes of the body to another connection, those that were read already
// first.
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

// ErrSource says of bytes that the kernel moves from one connection to another that the
// first has failed, and not the second.
var ErrSource = errors.New("the connection that is read broke off")

// hasEnded reports whether a connection has ended; it takes a byte from one that has not.
func hasEnded(conn net.Conn) bool {
	if conn.SetReadDeadline(time.Now().Add(time.Millisecond)) != nil {
		return true
	}
	_, err := conn.Read(make([]byte, 1))
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// noEnd makes an error of an end before the end.
func noEnd(err error) error {
	if err == io.EOF { //nolint:errorlint // as io.Reader has it
		return io.ErrUnexpectedEOF
	}
	return err
}

// Header implements http.ResponseWriter.
func (d *detached) Header() http.Header { return d.header }

// WriteHeader implements http.ResponseWriter. The connection's end is that of the body,
// too, where no length was set.
func (d *detached) WriteHeader(code int) {
	if d.begun || code < http.StatusOK {
		return
	}
	d.begun = true
	d.header.Set("Connection", "close")
	d.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	// Errors stay in the writer, and come up at the flush.
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

// finish sends what was not sent yet and closes the connection.
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
		_, _ = io.CopyN(io.Discard, d.in, unreadMax) // it ends, or the client does
	}
	d.end()
}

// abort closes the connection so that its client takes nothing for complete.
func (d *detached) abort() {
	if d.ended {
		return
	}
	if conn, ok := d.socket.(*net.TCPConn); ok {
		_ = conn.SetLinger(0) // a close with an error, which tells the client all
	}
	d.end()
}

func (d *detached) end() {
	d.ended = true
	_ = d.Close() // it was flushed, or is to break
	d.all.conns.Delete(d)
	d.all.n.Add(-1)
}

// End sends the answer of a request whose connection was detached; net/http does it for
// others.
func (w *Response) End() {
	if w.detached != nil {
		w.renew()
		w.detached.finish()
	}
}

// Abort breaks a detached connection off, unless it has ended.
func (w *Response) Abort() {
	if w.detached != nil {
		w.detached.abort()
	}
}

// SendBody moves up to n bytes of the body of a detached request to a connection, by the
// kernel alone where that can; moved hears of each part. It sends nothing where src is
// no such body.
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
			_ = from.SetReadDeadline(time.Unix(1, 0)) // a connection that is closed needs none
		}
	}
}

// Parts are the pieces in which something large is moved, so that it is seen to move: each
// is to take less than a second, on slow networks too. The zero value is ready.
type Parts struct {
	size  int64
	begun time.Time
}

const smallestPart, largestPart = 64 << 10, 1 << 20

// Next returns the size of the next part of what is left.
func (p *Parts) Next(left int64) int64 {
	if p.size == 0 {
		p.size = smallestPart
	}
	p.begun = time.Now()
	return min(p.size, left)
}

// Done says that so much of the part was moved.
func (p *Parts) Done(n int64) {
	switch took := time.Since(p.begun); {
	case took > time.Second:
		p.size = smallestPart
	case n == p.size && took < time.Second/4:
		p.size = min(2*p.size, largestPart)
	}
}
