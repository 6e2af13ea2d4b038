package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// errTrailing says that a stream went on where it had to end.
var errTrailing = errors.New("more bytes than announced")

// exact reads exactly left bytes from r: a stream that ends early or continues
// fails instead of yielding its last bytes.
type exact struct {
	r     io.Reader
	left  int64
	short error // what an early end is
	err   error // sticky: what every further Read returns
}

func (e *exact) Read(p []byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	if e.left == 0 {
		e.err = e.atEnd()
		return 0, e.err
	}
	if int64(len(p)) > e.left {
		p = p[:e.left]
	}
	n, err := e.r.Read(p)
	e.left -= int64(n)
	switch {
	case err == nil && e.left == 0:
		err = e.atEnd()
	case errors.Is(err, io.EOF) && e.left > 0:
		err = e.short
	}
	e.err = err
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err // what was read is held back
	}
	return n, err
}

// atEnd returns io.EOF if the stream is at its end.
func (e *exact) atEnd() error {
	var one [1]byte
	switch n, err := io.ReadFull(e.r, one[:]); {
	case n > 0:
		return errTrailing
	default:
		return err
	}
}

// upload is the body of a PUT. It remembers why reading failed, since not every
// backend returns the reader's error. A backend that would send it again after a
// failure gets that failure again, never the rest of the body.
//
// Whoever waits for the PUT asks what became of the body while a transport may
// still read: a server that refuses an upload answers in the middle of it.
type upload struct {
	exact

	request context.Context // a cancelled request's body has no further bytes

	owed  atomic.Int64          // bytes that were not read yet
	ended atomic.Pointer[error] // why reading ended
}

func newUpload(ctx context.Context, body io.Reader, size int64) *upload {
	short := fmt.Errorf("%w: %w", storage.ErrShort, io.ErrUnexpectedEOF)
	u := &upload{exact: exact{r: body, left: size, short: short}, request: ctx}
	u.owed.Store(size)
	return u
}

func (u *upload) Read(p []byte) (int, error) {
	if u.err == nil {
		u.err = u.request.Err()
	}
	n, err := u.exact.Read(p)
	u.owed.Store(u.left)
	if ended := u.err; ended != nil {
		u.ended.Store(&ended)
	}
	return n, err
}

// failure is why the body could not be read to its end; nil if it was, or if
// nobody tried.
func (u *upload) failure() error {
	ended := u.ended.Load()
	if ended == nil || errors.Is(*ended, io.EOF) {
		return nil
	}
	return *ended
}

// complete reports whether the body was read to its end.
func (u *upload) complete() bool { return u.owed.Load() == 0 && u.failure() == nil }

// download is the body of a GET.
type download struct {
	exact
	io.Closer
}

func newDownload(body io.ReadCloser, size int64) *download {
	return &download{exact{r: body, left: size, short: io.ErrUnexpectedEOF}, body}
}
