package peer

import (
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"sync"

	"github.com/rclone-gateway/rclone-gateway/gateway/wire"
)

// chunk is the size of the pieces of an upload that the kernel cannot move by itself.
// net/http's own pieces are a third of it, and make a hop a third more expensive. 64
// uploads need 8 MiB.
const chunk = 96 << 10

var chunks = sync.Pool{New: func() any { return new([chunk]byte) }}

// spliceFrom is the size from which the kernel moves a body from one connection to the
// other (splice). That takes over the client's connection, which then ends with the
// request.
const spliceFrom = 1 << 20

// conn is a connection of net/http to a peer. Large bodies bypass net/http.
type conn struct {
	net.Conn

	// passed is how much of the response's body was read from the connection without
	// net/http, which still expects it.
	passed int64
}

// Read implements io.Reader. In place of the bytes in passed, it returns arbitrary bytes,
// which the caller discards. So net/http reaches the end of the response, and can reuse the
// connection.
func (c *conn) Read(p []byte) (int, error) {
	if c.passed == 0 {
		return c.Conn.Read(p)
	}
	n := min(int64(len(p)), c.passed)
	c.passed -= n
	return int(n), nil
}

// ReadFrom implements [io.ReaderFrom], for net/http.
func (c *conn) ReadFrom(r io.Reader) (n int64, err error) {
	if limited, ok := r.(*io.LimitedReader); ok {
		n, err = c.splice(limited)
		limited.N -= n
		if err != nil || limited.N == 0 {
			return n, err
		}
	}
	m, err := c.copy(r)
	return n + m, err
}

// splice sends what the kernel can move by itself.
func (c *conn) splice(r *io.LimitedReader) (int64, error) {
	upload, ok := r.R.(*sending)
	to, plain := c.Conn.(*net.TCPConn)
	if !ok || !plain {
		return 0, nil
	}
	return upload.sendTo(to, r.N)
}

// copy sends r in large pieces.
func (c *conn) copy(r io.Reader) (n int64, err error) {
	buf := chunks.Get().(*[chunk]byte)
	defer chunks.Put(buf)
	for {
		m, errRead := r.Read(buf[:])
		if m > 0 {
			written, err := c.Write(buf[:m])
			n += int64(written)
			if err != nil {
				return n, err
			}
		}
		if errors.Is(errRead, io.EOF) {
			return n, nil
		}
		if errRead != nil {
			return n, errRead
		}
	}
}

// traced is a hook that reports which connection a request uses.
func (h *hop) traced() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if c, ok := info.Conn.(*conn); ok {
			h.conn = c
		}
	}}
}

// splice moves the body of a response to the client, most of it without net/http.
func (h *hop) splice(to io.Writer, body *receiving, from *net.TCPConn, length int64) error {
	// One large read empties net/http's own buffer.
	buf := chunks.Get().(*[chunk]byte)
	defer chunks.Put(buf)
	n, err := body.Read(buf[:])
	if n > 0 {
		if _, err := to.Write(buf[:n]); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	var parts wire.Parts
	for left := length - int64(n); left > 0 && err == nil; {
		part := &io.LimitedReader{R: from, N: parts.Next(left)}
		want := part.N
		var moved int64
		moved, err = io.Copy(to, part)
		parts.Done(moved)
		h.conn.passed += moved
		left -= moved
		if moved > 0 {
			h.move()
		}
		if err == nil && moved < want {
			err = io.ErrUnexpectedEOF
		}
	}
	if errors.Is(err, wire.ErrSource) || errors.Is(err, io.ErrUnexpectedEOF) {
		body.err = err
	}
	if err == nil {
		_, err = io.Copy(io.Discard, body) // the arbitrary bytes of Read, and the end
	}
	return err
}
