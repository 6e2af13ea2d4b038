package live

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/guard"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/expiry"
)

const (
	// openTimeout bounds the opening of a destination.
	openTimeout = 30 * time.Second
	// openPause is how long a destination that could not be opened is not tried again.
	openPause = 5 * time.Second
)

// Opener opens the store of a destination; closer, where it is not nil, ends it.
type Opener func(ctx context.Context, destination *catalog.Destination) (s storage.Store, closer io.Closer, err error)

// Mount is the place of a destination's store: opened at its first use, shared by
// all requests, closed after the last one once the destination is gone. One that
// hangs or fails costs only the requests that ask for it.
type Mount struct {
	Destination *catalog.Destination
	Guard       *guard.Guard

	open      Opener
	clock     *expiry.Clock // nil: nothing is kept that is deleted
	log       *slog.Logger
	lastSpace atomic.Pointer[spaceThen]
	gaveWay   struct {
		mu             sync.Mutex // held while it does
		objects, bytes atomic.Int64
	}

	mu      sync.Mutex
	users   int
	retired bool
	opening chan struct{} // closed when the attempt under way has ended
	backend storage.Store
	kept    *trash.Store  // it, and what was deleted
	guarded storage.Store // what requests see of it
	closer  io.Closer
	err     error     // why the last attempt failed
	tried   time.Time // when it did
}

func newMount(destination *catalog.Destination, open Opener, clock *expiry.Clock, log *slog.Logger) *Mount {
	return &Mount{
		Destination: destination,
		open:        open,
		clock:       clock,
		log:         log,
		Guard:       guard.New(destination.ID, destination.Type == TypeLocal, log),
	}
}

// isOpen reports whether the store is open now.
func (m *Mount) isOpen() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.guarded != nil
}

// Acquire returns the open store; Release must follow when err is nil.
func (m *Mount) Acquire(ctx context.Context) (storage.Store, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users++
	for m.guarded == nil {
		if m.err != nil && time.Since(m.tried) < openPause {
			m.users--
			return nil, m.err
		}
		if m.opening == nil {
			m.opening = make(chan struct{})
			go m.attempt()
		}
		opening := m.opening
		m.mu.Unlock()
		var gone error
		select {
		case <-opening:
		case <-ctx.Done():
			gone = ctx.Err()
		}
		m.mu.Lock()
		if gone != nil {
			m.users--
			return nil, gone
		}
	}
	return m.guarded, nil
}

// acquireBackend is Acquire for the store itself, past its guard.
func (m *Mount) acquireBackend(ctx context.Context) (storage.Store, error) {
	if _, err := m.Acquire(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.backend, nil
}

// probeTimeout bounds a question to a storage.
const probeTimeout = 4 * time.Second

// absentName is what a question asks for. It is nobody's.
const absentName = "_probe_rest_404"

// Probe asks the storage itself whether it answers, past limits and circuit breaker,
// and tells the guard.
func (m *Mount) Probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	ended := make(chan error, 1)
	go func() { // a network's file system does not heed ctx
		store, err := m.acquireBackend(ctx)
		if err == nil {
			_, err = store.Stat(ctx, absentName)
			m.Release()
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		m.Guard.Probed(ctx, err)
	case <-ctx.Done():
		m.Guard.Probed(ctx, ctx.Err())
	}
}

// Proof returns what shows which storage a local destination has here; see
// [local.Store.Proof]. It is empty where that is not known, or the store is not open.
func (m *Mount) Proof() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if prover, ok := m.backend.(interface{ Proof() string }); ok {
		return prover.Proof()
	}
	return ""
}

// attempt opens the store once, on its own time: the request that asked for it
// may be gone before it ends.
func (m *Mount) attempt() {
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	opened, closer, err := m.open(ctx, m.Destination)

	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.opening)
	m.opening = nil
	m.tried = time.Now()
	if m.err = err; err != nil {
		m.Guard.NotOpened(err)
		m.err = fmt.Errorf("open destination %s: %w", m.Destination.ID, err)
		return
	}
	m.backend, m.closer = opened, closer
	m.kept, opened = m.keeping(opened)
	m.guarded = m.Guard.Around(opened)
	m.closeIfDone()
}

// Release ends a use that Acquire began.
func (m *Mount) Release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users--
	m.closeIfDone()
}

// retire closes the store as soon as nobody uses it. A request that still holds
// the view from before may open it again, and closes it when it ends.
func (m *Mount) retire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retired = true
	m.closeIfDone()
}

// closeIfDone runs with mu held; closing itself may take the network's time.
func (m *Mount) closeIfDone() {
	if !m.retired || m.users > 0 || m.guarded == nil {
		return
	}
	closer := m.closer
	m.guarded, m.kept, m.backend, m.closer = nil, nil, nil, nil
	if closer == nil {
		return
	}
	go func() {
		if err := closer.Close(); err != nil {
			m.log.Warn("closing a destination", "dest", m.Destination.ID, "err", err,
				"hint", "nothing was lost: it was no longer in use")
		}
	}()
}
