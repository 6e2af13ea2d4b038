package guard

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// slotPatience is how long an operation waits for its turn.
const slotPatience = 90 * time.Second

// slots lets a number of operations through at once, in the order of their
// coming. The zero value lets all through.
type slots struct {
	mu    sync.Mutex
	max   int // 0: any number
	held  int
	queue []chan struct{} // closed when it is that one's turn
}

// acquire waits for a slot. Release must be called once, when err is nil.
func (s *slots) acquire(ctx context.Context) (release func(), err error) {
	s.mu.Lock()
	if s.max == 0 {
		s.mu.Unlock()
		return func() {}, nil
	}
	turn := make(chan struct{})
	s.queue = append(s.queue, turn)
	s.next()
	s.mu.Unlock()

	patience := time.NewTimer(slotPatience)
	defer patience.Stop()
	select {
	case <-turn:
		return sync.OnceFunc(s.release), nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-patience.C:
		err = fmt.Errorf("%w: as many operations as its limit allows are under way", storage.ErrUnavailable)
	}
	s.abandon(turn)
	return nil, err
}

// abandon gives up waiting; the turn may have come in this very moment.
func (s *slots) abandon(turn chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.queue, turn); i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
		return
	}
	s.held--
	s.next()
}

func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held--
	s.next()
}

func (s *slots) resize(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.max = n
	s.next()
}

// next hands out the free slots; it runs with mu held.
func (s *slots) next() {
	for len(s.queue) > 0 && (s.max == 0 || s.held < s.max) {
		close(s.queue[0])
		s.queue = slices.Delete(s.queue, 0, 1)
		s.held++
	}
}
