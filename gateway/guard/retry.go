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
	// throttleBudget is how long one operation may be repeated while the provider
	// asks to slow down. Clients give a request up after five minutes.
	throttleBudget = 90 * time.Second
	// outageBudget is the same for a destination that cannot be reached: enough
	// for a server's restart. Beyond it clients repeat the request themselves.
	outageBudget = 15 * time.Second
	// answerTimeout is how long a destination may take to begin an answer.
	answerTimeout = time.Minute

	retryFirst   = 500 * time.Millisecond
	retryLongest = 15 * time.Second

	// replayable is the size up to which an upload is kept in memory, so that it
	// can be sent again: locks, keys, snapshots and most indexes.
	replayable = 512 << 10
)

// resilient is a store that retries what a remote throttled, within a budget, and
// stops asking a remote that fails everything. What cannot be repeated, because
// bytes of it have passed, fails at once: its client has them still.
type resilient struct {
	store   storage.Store
	breaker *breaker
	refused atomic.Bool // an upload was, since the last one that could not be repeated here
}

var (
	_ storage.Store   = (*resilient)(nil)
	_ storage.Creator = (*resilient)(nil)
)

// once runs one attempt; repeatable reports whether another one may follow.
type once func(ctx context.Context) (repeatable bool, err error)

// do runs attempts until one succeeds, or fails for good, or the budget is spent.
func (r *resilient) do(ctx context.Context, attempt once) error {
	probe, err := r.breaker.enter()
	if err != nil {
		return err
	}
	result, cause := refusal.Failed, refusal.ErrDefect // a panic is that of the backend
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

// passes reports whether a failure may pass within the budget. A storage that
// refuses to be changed is asked once more, so that a moment's refusal, as while its
// own permissions are being changed, does not end a backup.
func passes(err error, pause time.Duration) bool {
	return errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrReadOnly) && pause == retryFirst
}

func budget(err error) time.Duration {
	if errors.Is(err, storage.ErrThrottled) {
		return throttleBudget
	}
	return outageBudget
}

// callerError is an error of the caller's own function, which says nothing of
// the destination.
type callerError struct{ error }

func (e callerError) Unwrap() error { return e.error }

// promptly bounds the time to the beginning of an answer. The context it gives
// to begin lives until release is called, for the body that begin may return.
func promptly(ctx context.Context, begin func(context.Context) error) (release func(), err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(answerTimeout, func() { cancel(errSilent) })
	err = begin(ctx)
	if !timer.Stop() && err != nil && errors.Is(context.Cause(ctx), errSilent) {
		// The context's error would pass for that of a client which left.
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

// Open implements [storage.Store]. Of a body that breaks off nothing is repeated.
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
		// Only the client can repeat it: the first time it is asked to.
		return fmt.Errorf("%w, and is asked once more: %s", storage.ErrUnavailable, err.Error())
	}
	if err == nil {
		r.refused.Store(false)
	}
	return err
}

// putSmall keeps the body, to send it again.
func (r *resilient) putSmall(ctx context.Context, name string, size int64, body io.Reader) error {
	// One byte more than announced makes the store see a body that is too long.
	content, err := io.ReadAll(io.LimitReader(body, size+1))
	if err != nil {
		return fmt.Errorf("put %s: read the body: %w", name, err)
	}
	err = r.do(ctx, func(ctx context.Context) (bool, error) {
		return true, r.store.Put(ctx, name, size, bytes.NewReader(content))
	})
	r.isRefusal(err) // it was asked twice: a large upload need not be sent again
	return err
}

// isRefusal reports whether err is the first of a storage that takes no uploads.
func (r *resilient) isRefusal(err error) bool {
	return errors.Is(err, storage.ErrReadOnly) && !r.refused.Swap(true)
}

// touched remembers whether anybody has begun to read.
type touched struct {
	io.Reader
	touched bool
}

func (t *touched) Read(p []byte) (int, error) {
	t.touched = true
	return t.Reader.Read(p)
}

// Remove implements [storage.Store]. Where a first attempt did delete and only its
// answer was lost, the second finds nothing: absence is what was asked for.
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

// listing repeats a listing of which fn has not heard anything.
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
