package gateway

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
)

const (
	// openTimeout bounds the opening of a destination.
	openTimeout = 30 * time.Second
	// openPause is how long a destination that could not be opened is left alone.
	openPause = 5 * time.Second
)

// opener opens the store of a destination; closer, where it is not nil, ends it.
type opener func(ctx context.Context, destination *catalog.Destination) (s storage.Store, closer io.Closer, err error)

// store is the place of a destination's storage.Store: opened at its first use,
// shared by all requests, closed after the last one once the destination is
// gone. One that hangs or fails costs only the requests that ask for it.
type store struct {
	destination *catalog.Destination
	open        opener
	log         *slog.Logger
	guard       *guard.Guard
	lastSpace   atomic.Pointer[spaceThen]
	meters      atomic.Pointer[meters] // of requests to its type

	mu      sync.Mutex
	users   int
	retired bool
	opening chan struct{} // closed when the attempt under way has ended
	store   storage.Store // what requests see: backend, guarded
	backend storage.Store
	closer  io.Closer
	err     error     // why the last attempt failed
	tried   time.Time // when it did
}

func newStore(destination *catalog.Destination, open opener, log *slog.Logger) *store {
	return &store{
		destination: destination,
		open:        open,
		log:         log,
		guard:       guard.New(destination.ID, destination.Type == typeLocal, log),
	}
}

func (s *store) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store != nil
}

// acquire returns the open store; release must follow when err is nil.
func (s *store) acquire(ctx context.Context) (storage.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users++
	for s.store == nil {
		if s.err != nil && time.Since(s.tried) < openPause {
			s.users--
			return nil, s.err
		}
		if s.opening == nil {
			s.opening = make(chan struct{})
			go s.attempt()
		}
		opening := s.opening
		s.mu.Unlock()
		var gone error
		select {
		case <-opening:
		case <-ctx.Done():
			gone = ctx.Err()
		}
		s.mu.Lock()
		if gone != nil {
			s.users--
			return nil, gone
		}
	}
	return s.store, nil
}

// acquireBackend is acquire for the store itself, past its guard.
func (s *store) acquireBackend(ctx context.Context) (storage.Store, error) {
	if _, err := s.acquire(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.backend, nil
}

// attempt opens the store once, on its own time: the request that asked for it
// may be gone before it ends.
func (s *store) attempt() {
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	opened, closer, err := s.open(ctx, s.destination)

	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.opening)
	s.opening = nil
	s.tried = time.Now()
	if s.err = err; err != nil {
		s.guard.NotOpened(err)
		s.err = fmt.Errorf("open destination %s: %w", s.destination.ID, err)
		return
	}
	s.backend, s.closer = opened, closer
	s.store = s.guard.Around(opened)
	s.closeIfDone()
}

// release ends a use that acquire began.
func (s *store) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	s.closeIfDone()
}

// retire closes the store as soon as nobody uses it. A request that still holds
// the view from before may open it again, and closes it when it ends.
func (s *store) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired = true
	s.closeIfDone()
}

// closeIfDone runs with mu held; closing itself may take the network's time.
func (s *store) closeIfDone() {
	if !s.retired || s.users > 0 || s.store == nil {
		return
	}
	closer := s.closer
	s.store, s.backend, s.closer = nil, nil, nil
	if closer == nil {
		return
	}
	go func() {
		if err := closer.Close(); err != nil {
			s.log.Warn("closing a destination", "dest", s.destination.ID, "err", err,
				"hint", "nothing was lost: it was no longer in use")
		}
	}()
}
