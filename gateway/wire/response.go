package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

const (
	// copyBuffer is the size of the buffers for bodies that the kernel cannot send by
	// itself.
	copyBuffer = 256 << 10
	// sendChunk is how much of a file the kernel sends between two renewals of the write
	// deadline.
	sendChunk = 4 << 20
	// smallBody is what net/http sends together with the header if it is written at once; a
	// file that the kernel sends is a separate piece.
	smallBody = 3 << 10
	// renewal is the minimum change of a deadline that is worth a system call.
	renewal = time.Second
)

var copyBuffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// Response is a ResponseWriter that counts. A request may take any time, but must not
// stall: each byte moves the deadline. It keeps io.ReaderFrom, by which files are sent
// without passing through this process.
type Response struct {
	http.ResponseWriter
	// Status is the status that was sent, 0 before that.
	Status int
	// Sent and Received count the bytes of the bodies.
	Sent, Received int64
	// Broken is true if writing to the client failed.
	Broken bool

	control       http.ResponseController
	stall         time.Duration
	body          *watchedBody // nil without a body
	writeDeadline time.Time
	detachments   *Detachments
	detached      *detached // nil while net/http has the connection
}

// NewResponse returns a response that fails after a stall without progress. Its connection
// can be detached if detachments is given.
func NewResponse(w http.ResponseWriter, stall time.Duration, detachments *Detachments) Response {
	return Response{ResponseWriter: w, control: *http.NewResponseController(w), stall: stall, detachments: detachments}
}

// Unwrap is for http.ResponseController.
func (w *Response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *Response) WriteHeader(code int) {
	w.renew()
	if code >= http.StatusOK && w.Status == 0 {
		w.Status = code
	}
	w.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (w *Response) Write(p []byte) (int, error) {
	w.begin()
	n, err := w.ResponseWriter.Write(p)
	w.count(int64(n), err)
	return n, err
}

// ReadFrom implements io.ReaderFrom.
func (w *Response) ReadFrom(src io.Reader) (n int64, err error) {
	w.begin()
	limited, ok := src.(*io.LimitedReader)
	if !ok || limited.N <= smallBody {
		return w.copy(src)
	}
	switch limited.R.(type) {
	case *os.File, *net.TCPConn:
	default:
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
		if conn, ok := limited.R.(*net.TCPConn); ok && err != nil && hasEnded(conn) {
			w.count(m, nil)
			return n, fmt.Errorf("%w: %w", ErrSource, err)
		}
		w.count(m, err)
		if err != nil || m == 0 {
			return n, err
		}
		w.renew()
	}
	return n, nil
}

// copy sends src through a buffer of the pool.
func (w *Response) copy(src io.Reader) (int64, error) {
	buf := copyBuffers.Get().(*[copyBuffer]byte)
	defer copyBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{w}, src, buf[:])
}

// begin records the implicit 200 of a body without WriteHeader.
func (w *Response) begin() {
	w.renew()
	if w.Status == 0 {
		w.Status = http.StatusOK
	}
}

// Flush implements http.Flusher.
func (w *Response) Flush() {
	w.begin()
	_ = w.control.Flush() // errors show at the next write
}

// count records what was sent, and whether sending failed.
func (w *Response) count(n int64, err error) {
	w.Sent += n
	w.Broken = w.Broken || err != nil
}

// renew moves the write deadline, unless the change would be small.
func (w *Response) renew() {
	deadline := time.Now().Add(w.stall)
	if deadline.Sub(w.writeDeadline) < renewal {
		return
	}
	w.writeDeadline = deadline
	_ = w.control.SetWriteDeadline(deadline) // unsupported only by writers without a connection
}

// Watch wraps body with a read deadline that moves with its progress.
func (w *Response) Watch(body io.ReadCloser) io.ReadCloser {
	if body == nil || body == http.NoBody {
		return body
	}
	w.body = &watchedBody{ReadCloser: body, w: w}
	w.body.renew() // net/http reads the rest if the handler does not
	return w.body
}

// Hurry gives a client whose request was refused half of the stall time to send the rest of
// its body, which net/http waits for. Then there is time left for the refusal itself.
func (w *Response) Hurry() {
	if w.body != nil && !w.body.ended {
		_ = w.control.SetReadDeadline(time.Now().Add(w.stall / 2)) // as in renew
	}
}

type watchedBody struct {
	io.ReadCloser
	w        *Response
	ended    bool
	deadline time.Time
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.renew()
	n, err := b.ReadCloser.Read(p)
	b.w.Received += int64(n)
	switch {
	case errors.Is(err, io.EOF):
		// From here on net/http reads ahead to notice a client that disconnects; a deadline
		// would look like one.
		b.ended = true
		_ = b.w.control.SetReadDeadline(time.Time{})
	default:
		err = b.explain(err)
	}
	return n, err
}

// explain marks an error as the end of the client's time.
func (b *watchedBody) explain(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: %w", refusal.ErrStalled, err)
	}
	return err
}

// renew moves the read deadline, like the write deadline of the response.
func (b *watchedBody) renew() {
	deadline := time.Now().Add(b.w.stall)
	if deadline.Sub(b.deadline) < renewal {
		return
	}
	b.deadline = deadline
	_ = b.w.control.SetReadDeadline(deadline)
}
