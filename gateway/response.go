package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

const (
	// copyBuffer is the size of the buffers for bodies that the kernel cannot
	// send by itself.
	copyBuffer = 256 << 10
	// sendChunk is how much of a file is handed to the kernel between two
	// renewals of the write deadline.
	sendChunk = 4 << 20
	// smallBody is what net/http sends in one piece with the header, if it gets it in
	// one; a file that the kernel sends is a second piece.
	smallBody = 3 << 10
	// renewal is how far a deadline must have moved to be worth setting again.
	renewal = time.Second
)

var copyBuffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// response is the ResponseWriter that handlers see. Nothing limits how long a
// request may take, only how long it may stand still: each byte that moves
// moves the deadline. It keeps io.ReaderFrom, by which files are sent without
// passing through this process.
type response struct {
	http.ResponseWriter
	control http.ResponseController
	stall   time.Duration
	id      requestID

	entry    entry
	status   int
	sent     int64
	received int64
	broken   bool // the client could not be written to

	body          *watchedBody // nil where there is none
	writeDeadline time.Time
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) WriteHeader(code int) {
	w.renew()
	if code >= http.StatusOK && w.status == 0 {
		w.status = code
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *response) Write(p []byte) (int, error) {
	w.begin()
	n, err := w.ResponseWriter.Write(p)
	w.count(int64(n), err)
	return n, err
}

// ReadFrom implements io.ReaderFrom.
func (w *response) ReadFrom(src io.Reader) (n int64, err error) {
	w.begin()
	limited, ok := src.(*io.LimitedReader)
	if !ok || limited.N <= smallBody {
		return w.copy(src)
	}
	if _, ok := limited.R.(*os.File); !ok {
		return w.copy(src)
	}
	to, ok := w.ResponseWriter.(io.ReaderFrom)
	if !ok {
		return w.copy(src)
	}
	for limited.N > 0 {
		part := io.LimitedReader{R: limited.R, N: min(limited.N, sendChunk)}
		m, err := to.ReadFrom(&part)
		n += m
		limited.N -= m
		w.count(m, err)
		if err != nil || m == 0 {
			return n, err
		}
		w.renew()
	}
	return n, nil
}

// copy sends src through a buffer of the pool.
func (w *response) copy(src io.Reader) (int64, error) {
	buf := copyBuffers.Get().(*[copyBuffer]byte)
	defer copyBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{w}, src, buf[:])
}

// begin notes the implicit 200 of a body without WriteHeader.
func (w *response) begin() {
	w.renew()
	if w.status == 0 {
		w.status = http.StatusOK
	}
}

// Flush implements http.Flusher.
func (w *response) Flush() {
	w.begin()
	_ = w.control.Flush() // an HTTP/1 or 2 writer can; an error shows at the next write
}

// count notes what was sent, and whether sending failed.
func (w *response) count(n int64, err error) {
	w.sent += n
	w.broken = w.broken || err != nil
}

// renew moves the write deadline, and saves the call when it would hardly move.
func (w *response) renew() {
	deadline := time.Now().Add(w.stall)
	if deadline.Sub(w.writeDeadline) < renewal {
		return
	}
	w.writeDeadline = deadline
	_ = w.control.SetWriteDeadline(deadline) // unsupported only by writers without a connection
}

// watch returns body with a read deadline that moves with its progress.
func (w *response) watch(body io.ReadCloser) io.ReadCloser {
	if body == nil || body == http.NoBody {
		return body
	}
	w.body = &watchedBody{ReadCloser: body, w: w}
	w.body.renew() // net/http reads on where the handler stops, or never began
	return w.body
}

// hurry leaves a client whose request was refused half the time to send the rest
// of its body, which net/http waits for: the refusal itself must still get out
// after that.
func (w *response) hurry() {
	if w.body != nil && !w.body.ended {
		_ = w.control.SetReadDeadline(time.Now().Add(w.stall / 2)) // as in renew
	}
}

type watchedBody struct {
	io.ReadCloser
	w        *response
	ended    bool
	deadline time.Time
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.renew()
	n, err := b.ReadCloser.Read(p)
	b.w.received += int64(n)
	switch {
	case errors.Is(err, io.EOF):
		// From here on the server reads ahead to notice a client that goes away;
		// a deadline would look like one.
		b.ended = true
		_ = b.w.control.SetReadDeadline(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("%w: %w", refusal.ErrStalled, err)
	}
	return n, err
}

// renew moves the read deadline, as the response's does the write deadline.
func (b *watchedBody) renew() {
	deadline := time.Now().Add(b.w.stall)
	if deadline.Sub(b.deadline) < renewal {
		return
	}
	b.deadline = deadline
	_ = b.w.control.SetReadDeadline(deadline)
}
