package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

const (
	// throttleBudget is how long an operation is retried while the provider asks to slow
	// down. Clients give up after five minutes.
	throttleBudget = 90 * time.Second
	// outageBudget is the same for a destination that cannot be reached: enough for a
	// server's restart. Clients retry longer than that.
	outageBudget = 15 * time.Second
	// answerTimeout is how long a destination may take to begin an answer.
	answerTimeout = time.Minute

	retryFirst   = 500 * time.Millisecond
	retryLongest = 15 * time.Second

	// replayable is the size up to which an upload is buffered in memory, so that it can be
	// retried: locks, keys, snapshots and most indexes.
	replayable = 512 << 10
)

// resilient is a store that retries temporary failures of a remote within a budget, and has
// a circuit breaker. It does not retry after it has passed on some of the data: the client
// still has all of it, and can retry.
type resilient struct {
	store   storage.Store
	breaker *breaker
	refused atomic.Bool // an upload was refused since the last one that could not be retried here
}

var (
	_ storage.Store   = (*resilient)(nil)
	_ storage.Creator = (*resilient)(nil)
)

// once performs one attempt; repeatable reports whether another one may follow.
type once func(ctx context.Context) (repeatable bool, err error)

// do performs attempts until one succeeds, fails permanently, or the budget is spent.
func (r *resilient) do(ctx context.Context, attempt once) error {
	probe, err := r.breaker.enter()
	if err != nil {
		return err
	}
	result, cause := refusal.Failed, refusal.ErrDefect // stays if the backend panics
	defer func() { r.breaker.leave(probe, result, cause) }()
	err = r.repeat(ctx, probe, attempt)
	result, cause = judge(ctx, err), err
	if stopped, ok := errors.AsType[callerError](err); ok {
		return stopped.error
	}
	return err
}

func (r *resilient) repeat(ctx context.Context, probe bool, attempt once) error {
	started := time.Now()
	for pause := retryFirst; ; pause = min(2*pause, retryLongest) {
		repeatable, err := attempt(ctx)
		if err == nil || probe || !repeatable || ctx.Err() != nil || !passes(err, pause) {
			return err
		}
		wait := pause/2 + rand.N(pause)
		if time.Since(started)+wait > budget(err) {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("%w, after: %w", ctx.Err(), err)
		}
	}
}

// passes reports whether a failure may pass within the budget. If a storage refuses a
// change it is asked once more, so that a momentary refusal, as while permissions are being
// changed, does not end a backup.
func passes(err error, pause time.Duration) bool {
	return errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrReadOnly) && pause == retryFirst
}

func budget(err error) time.Duration {
	if errors.Is(err, storage.ErrThrottled) {
		return throttleBudget
	}
	return outageBudget
}

// callerError is an error of the caller's function. It says nothing about the destination.
type callerError struct{ error }

func (e callerError) Unwrap() error { return e.error }

// promptly bounds the time until an answer begins. The context for begin lives until
// release is called, for the sake of the body that begin may return.
func promptly(ctx context.Context, begin func(context.Context) error) (release func(), err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(answerTimeout, func() { cancel(errSilent) })
	err = begin(ctx)
	if !timer.Stop() && err != nil && errors.Is(context.Cause(ctx), errSilent) {
		// The context's error would look like a client that left.
		err = fmt.Errorf("%w: %s", errSilent, err.Error())
	}
	return func() { cancel(nil) }, err
}

var errSilent = fmt.Errorf("%w: no answer within %v", storage.ErrUnavailable, answerTimeout)

// Stat implements [storage.Store].
func (r *resilient) Stat(ctx context.Context, name string) (info fs.FileInfo, err error) {
	err = r.do(ctx, func(ctx context.Context) (bool, error) {
		release, err := promptly(ctx, func(ctx context.Context) (err error) {
			info, err = r.store.Stat(ctx, name)
			return err
		})
		release()
		return true, err
	})
	return info, err
}

// Open implements [storage.Store]. A body that breaks off is not retried.
func (r *resilient) Open(ctx context.Context, name string, off, n int64) (body io.ReadCloser, size int64, err error) {
	err = r.do(ctx, func(ctx context.Context) (bool, error) {
		var opened io.ReadCloser
		release, err := promptly(ctx, func(ctx context.Context) (err error) {
			opened, size, err = r.store.Open(ctx, name, off, n)
			return err
		})
		if err != nil {
			release()
			return true, err
		}
		body = &releasedBody{opened, release}
		return false, nil
	})
	return body, size, err
}

// releasedBody ends its request's context when it is closed.
type releasedBody struct {
	io.ReadCloser
	release func()
}

func (b *releasedBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}

// Put implements [storage.Store].
func (r *resilient) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	if size <= replayable {
		return r.putSmall(ctx, name, size, body)
	}
	counted := &touched{Reader: body}
	err := r.do(ctx, func(ctx context.Context) (bool, error) {
		err := r.store.Put(ctx, name, size, counted)
		return !counted.touched, err
	})
	if r.isRefusal(err) && counted.touched {
		// Only the client can retry: the first time, ask it to.
		return fmt.Errorf("%w, and is asked once more: %s", storage.ErrUnavailable, err.Error())
	}
	if err == nil {
		r.refused.Store(false)
	}
	return err
}

// putSmall buffers the body, to send it again.
func (r *resilient) putSmall(ctx context.Context, name string, size int64, body io.Reader) error {
	// One extra byte lets the store see that a body is too long.
	content, err := io.ReadAll(io.LimitReader(body, size+1))
	if err != nil {
		return fmt.Errorf("put %s: read the body: %w", name, err)
	}
	err = r.do(ctx, func(ctx context.Context) (bool, error) {
		return true, r.store.Put(ctx, name, size, bytes.NewReader(content))
	})
	r.isRefusal(err) // it was asked twice: do not ask for a large upload again
	return err
}

// isRefusal reports whether err is the first refusal of a storage that accepts no uploads.
func (r *resilient) isRefusal(err error) bool {
	return errors.Is(err, storage.ErrReadOnly) && !r.refused.Swap(true)
}

// touched remembers whether reading has begun.
type touched struct {
	io.Reader
	touched bool
}

func (t *touched) Read(p []byte) (int, error) {
	t.touched = true
	return t.Reader.Read(p)
}

// Remove implements [storage.Store]. If a first attempt deleted the object and only the
// answer was lost, the second one finds nothing, which counts as success.
func (r *resilient) Remove(ctx context.Context, name string) error {
	return r.do(ctx, func(ctx context.Context) (bool, error) {
		release, err := promptly(ctx, func(ctx context.Context) error { return r.store.Remove(ctx, name) })
		release()
		return true, err
	})
}

// List implements [storage.Store].
func (r *resilient) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	return r.listing(ctx, fn, func(ctx context.Context, fn func(fs.FileInfo) error) error {
		return r.store.List(ctx, dir, fn)
	})
}

// listing retries a listing until fn has been called.
func (r *resilient) listing(ctx context.Context, fn func(fs.FileInfo) error, list func(context.Context, func(fs.FileInfo) error) error) error {
	return r.do(ctx, func(ctx context.Context) (bool, error) {
		begun := false
		err := list(ctx, func(info fs.FileInfo) error {
			begun = true
			if err := fn(info); err != nil {
				return callerError{err}
			}
			return nil
		})
		return !begun, err
	})
}

// Create implements [storage.Creator].
func (r *resilient) Create(ctx context.Context, dir string) error {
	return r.do(ctx, func(ctx context.Context) (bool, error) { return true, storage.Create(ctx, r.store, dir) })
}
