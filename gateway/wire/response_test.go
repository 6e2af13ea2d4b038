package wire

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/iotest"
	"time"
)

// writes counts those of a body.
type writes struct {
	http.ResponseWriter

	count, bytes int
}

func (w *writes) WriteHeader(int) {}

func (w *writes) Write(p []byte) (int, error) {
	w.count++
	w.bytes += len(p)
	return len(p), nil
}

// records gives no more at once than a connection that speaks TLS.
type records struct{ left int }

func (r *records) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), 16<<10, r.left)
	r.left -= n
	return n, nil
}

func TestWhatComesInSmallPiecesIsSentInLargeOnes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ size, count int }{{0, 0}, {100, 1}, {collected, 1}, {collected + 1, 2}, {1 << 20, (1 << 20) / collected}} {
		to := new(writes)
		w := NewResponse(to, time.Minute, nil)
		n, err := w.ReadFrom(&records{tt.size})
		if err != nil || n != int64(tt.size) || to.bytes != tt.size || to.count != tt.count {
			t.Errorf("%d bytes: %d, %v, %d sent in %d pieces, want %d", tt.size, n, err, to.bytes, to.count, tt.count)
		}
	}
}

func TestWhatCameBeforeAFailureIsSent(t *testing.T) {
	t.Parallel()
	to, broken := new(writes), errors.New("broken")
	w := NewResponse(to, time.Minute, nil)
	n, err := w.ReadFrom(io.MultiReader(&records{100}, iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || n != 100 || to.bytes != 100 {
		t.Errorf("%d, %v, %d bytes sent; want 100 and the failure", n, err, to.bytes)
	}
}
