package guard

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// slotPatience is how long an operation waits for a slot.
const slotPatience = 90 * time.Second

// slots bounds concurrent operations, in order of arrival. The zero value has no bound.
type slots struct {
	mu    sync.Mutex
	max   int // 0: unlimited
	held  int
	queue []chan struct{} // each closed to hand over a slot
}

// acquire waits for a slot. release must be called once if err is nil.
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

// abandon stops waiting. The slot may have been handed over at this very moment.
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

// next hands over the free slots. The caller holds mu.
func (s *slots) next() {
	for len(s.queue) > 0 && (s.max == 0 || s.held < s.max) {
		close(s.queue[0])
		s.queue = slices.Delete(s.queue, 0, 1)
		s.held++
	}
}
