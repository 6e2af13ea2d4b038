package gateway

import (
	"context"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/guard"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

const (
	// spaceTimeout bounds the question for space.
	spaceTimeout = 30 * time.Second
	// spaceExpires is how old an answer may be.
	spaceExpires = 5 * time.Minute
	// surveyTimeout bounds a survey of all destinations, surveyWidth how many of
	// them are asked at once.
	surveyTimeout = 2 * time.Second
	surveyWidth   = 32
)

// capacity is that of the storage that a destination lies on, in bytes, with all
// that others keep there too. Numbers that the remote does not tell are -1.
type capacity struct {
	free, used, total int64
}

var unknownCapacity = capacity{-1, -1, -1}

// survey asks all destinations for their space and tells what each holds, as far
// as that is known in surveyTimeout.
func (v *view) survey(ctx context.Context) map[string]adminapi.Space {
	ctx, cancel := context.WithTimeout(ctx, surveyTimeout)
	defer cancel()
	type answer struct {
		id string
		capacity
	}
	answers := make(chan answer, len(v.stores)) // not every backend heeds ctx
	turns := make(chan struct{}, surveyWidth)
	told := make(map[string]adminapi.Space, len(v.stores))
	for id, s := range v.stores {
		told[id] = adminapi.Space{Held: held(s.guard)}
		go func() {
			select {
			case turns <- struct{}{}:
				defer func() { <-turns }()
			case <-ctx.Done():
				return
			}
			space, err := s.space(ctx)
			if err != nil {
				space = unknownCapacity
			}
			answers <- answer{id, space}
		}()
	}
	for range v.stores {
		select {
		case a := <-answers:
			told[a.id] = adminapi.Space{
				Free: orNil(a.free), Used: orNil(a.used), Total: orNil(a.total), Held: told[a.id].Held,
			}
		case <-ctx.Done():
			return told
		}
	}
	return told
}

// held is what a destination holds; nil where that was not counted.
func held(g *guard.Guard) *int64 {
	n, counted := g.Stored()
	if !counted {
		return nil
	}
	return &n
}

// orNil is a number that a remote gave; nil stands for one that it did not.
func orNil(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}

// space answers from memory where that is fresh.
func (s *store) space(ctx context.Context) (capacity, error) {
	if last := s.lastSpace.Load(); last != nil && time.Since(last.at) < spaceExpires {
		return last.capacity, nil
	}
	ctx, cancel := context.WithTimeout(ctx, spaceTimeout)
	defer cancel()
	backend, err := s.acquireBackend(ctx)
	if err != nil {
		return capacity{}, err
	}
	defer s.release()
	answer := unknownCapacity
	if spacer, ok := backend.(storage.Spacer); ok {
		if answer.free, answer.used, answer.total, err = spacer.Space(ctx); err != nil {
			return capacity{}, err
		}
	}
	s.lastSpace.Store(&spaceThen{answer, time.Now()})
	return answer, nil
}

// spaceThen is an answer of some time ago.
type spaceThen struct {
	capacity

	at time.Time
}
