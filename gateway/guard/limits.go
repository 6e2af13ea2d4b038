package guard

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// rateBurst is the burst of a bandwidth limit, in bytes.
const rateBurst = 64 << 10

// limits are the limits of a destination, shared by all its requests. They may change at
// any time, but a transfer that began without a limit stays unlimited.
type limits struct {
	current          atomic.Pointer[catalog.Limits]
	upload, download *rate.Limiter
	slots            slots
}

func newLimits() *limits {
	l := &limits{
		upload:   rate.NewLimiter(rate.Inf, rateBurst),
		download: rate.NewLimiter(rate.Inf, rateBurst),
	}
	l.current.Store(&catalog.Limits{})
	return l
}

// set changes the limits.
func (l *limits) set(to catalog.Limits) {
	l.current.Store(&to)
	l.upload.SetLimit(bytesPerSecond(to.Upload))
	l.download.SetLimit(bytesPerSecond(to.Download))
	l.slots.resize(int(to.Operations))
}

func bytesPerSecond(n int64) rate.Limit {
	if n == 0 {
		return rate.Inf
	}
	return rate.Limit(n)
}

// limited is a store with limited bandwidth and concurrency.
type limited struct {
	store  storage.Store
	limits *limits
}

var (
	_ storage.Store   = (*limited)(nil)
	_ storage.Creator = (*limited)(nil)
)

// Stat implements [storage.Store].
func (l *limited) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	release, err := l.limits.slots.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	return l.store.Stat(ctx, name)
}

// Open implements [storage.Store]. Without limits it returns the store's own body, so that
// the kernel can still send a file.
func (l *limited) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	release, err := l.limits.slots.acquire(ctx)
	if err != nil {
		return nil, 0, err
	}
	body, size, err := l.store.Open(ctx, name, off, n)
	if err != nil {
		release()
		return nil, size, err
	}
	now := l.limits.current.Load()
	if now.Operations == 0 && now.Download == 0 {
		release()
		return body, size, nil
	}
	return &limitedBody{metered{body, ctx, l.limits.download}, body, release}, size, nil
}

// limitedBody releases its operation's slot when it is closed.
type limitedBody struct {
	metered

	body    io.Closer
	release func()
}

func (b *limitedBody) Close() error {
	defer b.release()
	return b.body.Close()
}

// Put implements [storage.Store].
func (l *limited) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	release, err := l.limits.slots.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	return l.store.Put(ctx, name, size, &metered{body, ctx, l.limits.upload})
}

// Remove implements [storage.Store].
func (l *limited) Remove(ctx context.Context, name string) error {
	release, err := l.limits.slots.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	return l.store.Remove(ctx, name)
}

// List implements [storage.Store].
func (l *limited) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	release, err := l.limits.slots.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	return l.store.List(ctx, dir, fn)
}

// Create implements [storage.Creator].
func (l *limited) Create(ctx context.Context, dir string) error {
	release, err := l.limits.slots.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	return storage.Create(ctx, l.store, dir)
}

// metered is a reader that a limiter slows down.
type metered struct {
	from    io.Reader
	ctx     context.Context
	limiter *rate.Limiter
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.from.Read(p)
	for left := n; left > 0; left -= rateBurst {
		if waitErr := m.limiter.WaitN(m.ctx, min(left, rateBurst)); waitErr != nil {
			return 0, fmt.Errorf("wait for bandwidth: %w", waitErr)
		}
	}
	return n, err
}
