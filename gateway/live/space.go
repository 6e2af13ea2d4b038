package live

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
	// spaceForgotten is how old an answer may be that the metrics still tell.
	spaceForgotten = 3 * spaceExpires
	// allTimeout bounds the question to all destinations, allWidth how many of
	// them are asked at once.
	allTimeout = 2 * time.Second
	allWidth   = 32
)

// Capacity is that of the storage that a destination lies on, in bytes, with all
// that others keep there too. Numbers that the remote does not tell are -1.
type Capacity struct {
	Free, Used, Total int64
}

var unknownCapacity = Capacity{-1, -1, -1}

// Space asks all destinations for their space and says what each holds, as far
// as that is known in allTimeout.
func (v *View) Space(ctx context.Context) map[string]adminapi.Space {
	ctx, cancel := context.WithTimeout(ctx, allTimeout)
	defer cancel()
	type answer struct {
		id string
		Capacity
	}
	answers := make(chan answer, len(v.Mounts)) // not every backend heeds ctx
	turns := make(chan struct{}, allWidth)
	told := make(map[string]adminapi.Space, len(v.Mounts))
	for id, s := range v.Mounts {
		told[id] = adminapi.Space{Held: held(s.Guard), Trash: s.trashedBytes()}
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
	for range v.Mounts {
		select {
		case a := <-answers:
			told[a.id] = adminapi.Space{
				Free: orNil(a.Free), Used: orNil(a.Used), Total: orNil(a.Total), Held: told[a.id].Held, Trash: told[a.id].Trash,
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
func (m *Mount) space(ctx context.Context) (Capacity, error) {
	if last := m.lastSpace.Load(); last != nil && time.Since(last.at) < spaceExpires {
		return last.Capacity, nil
	}
	ctx, cancel := context.WithTimeout(ctx, spaceTimeout)
	defer cancel()
	backend, err := m.acquireBackend(ctx)
	if err != nil {
		return Capacity{}, err
	}
	defer m.Release()
	answer := unknownCapacity
	if spacer, ok := backend.(storage.Spacer); ok {
		if answer.Free, answer.Used, answer.Total, err = spacer.Space(ctx); err != nil {
			return Capacity{}, err
		}
	}
	m.lastSpace.Store(&spaceThen{answer, time.Now()})
	return answer, nil
}

// LastSpace returns the last answer, unless it is too old.
func (m *Mount) LastSpace() (Capacity, bool) {
	if last := m.lastSpace.Load(); last != nil && time.Since(last.at) < spaceForgotten {
		return last.Capacity, true
	}
	return Capacity{}, false
}

// spaceThen is an answer of some time ago.
type spaceThen struct {
	Capacity

	at time.Time
}
