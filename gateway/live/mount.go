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
	// openPause is the pause before another attempt to open a destination.
	openPause = 5 * time.Second
)

// Opener opens the store of a destination; closer, if not nil, closes it.
type Opener func(ctx context.Context, destination *catalog.Destination) (s storage.Store, closer io.Closer, err error)

// Mount holds a destination's store. The store is opened at its first use, shared by all
// requests, and closed after the last one when the destination is gone. A destination that
// hangs or fails affects only its own requests.
type Mount struct {
	Destination *catalog.Destination
	Guard       *guard.Guard

	open      Opener
	clock     *expiry.Clock // nil: no trash
	log       *slog.Logger
	lastSpace atomic.Pointer[spaceThen]
	gaveWay   struct {
		mu             sync.Mutex // held during a purge
		objects, bytes atomic.Int64
	}

	mu      sync.Mutex
	users   int
	retired bool
	opening chan struct{} // closed at the end of the running attempt
	backend storage.Store
	kept    *trash.Store  // the store with its trash
	guarded storage.Store // the store with all guards
	closer  io.Closer
	err     error     // of the last attempt
	tried   time.Time // time of the last attempt
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

// Acquire returns the open store; Release must follow if err is nil.
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

// acquireBackend is Acquire for the store without its guard.
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

// absentName is the object that a probe asks for. It never exists.
const absentName = "_probe_rest_404"

// Probe asks the storage itself for an object, without limits and circuit breaker, and
// tells the guard the result.
func (m *Mount) Probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	ended := make(chan error, 1)
	go func() { // network file systems ignore ctx
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

// Proof returns the proof of which storage a local destination has here; see
// [local.Store.Proof]. It is empty if unknown, or if the store is not open.
func (m *Mount) Proof() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if prover, ok := m.backend.(interface{ Proof() string }); ok {
		return prover.Proof()
	}
	return ""
}

// attempt opens the store with its own context, since the request that asked for it may end
// before.
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

// Release ends a use of the store.
func (m *Mount) Release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users--
	m.closeIfDone()
}

// retire closes the store as soon as nobody uses it. A request with the previous view may
// open it again, and then closes it at its end.
func (m *Mount) retire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retired = true
	m.closeIfDone()
}

// closeIfDone closes an unused, retired store. The caller holds mu; closing may take a
// while on a network.
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
