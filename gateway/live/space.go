package live

import (
	"context"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/guard"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

const (
	// spaceTimeout bounds the request for the space of a destination.
	spaceTimeout = 30 * time.Second
	// spaceExpires is how long an answer is reused.
	spaceExpires = 5 * time.Minute
	// spaceForgotten is how long the metrics report an answer.
	spaceForgotten = 3 * spaceExpires
	// allTimeout bounds the request to all destinations, allWidth how many are asked
	// concurrently.
	allTimeout = 2 * time.Second
	allWidth   = 32
)

// Capacity is the capacity of the storage of a destination, in bytes, including other data
// there. Unknown values are -1.
type Capacity struct {
	Free, Used, Total int64
}

var unknownCapacity = Capacity{-1, -1, -1}

// Space asks all destinations for their space within allTimeout, and returns it with what
// each holds.
func (v *View) Space(ctx context.Context) map[string]adminapi.Space {
	ctx, cancel := context.WithTimeout(ctx, allTimeout)
	defer cancel()
	type answer struct {
		id string
		Capacity
	}
	answers := make(chan answer, len(v.Mounts)) // some backends ignore ctx
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

// held returns the size of a destination; nil if it was not counted.
func held(g *guard.Guard) *int64 {
	n, counted := g.Stored()
	if !counted {
		return nil
	}
	return &n
}

// orNil converts a number from a remote; unknown becomes nil.
func orNil(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}

// space returns the cached answer if it is recent.
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

// spaceThen is an earlier answer.
type spaceThen struct {
	Capacity

	at time.Time
}
