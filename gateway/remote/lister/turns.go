package lister

import (
	"context"
	"sync"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
)

// turns lets so many directories of a remote be listed at once as its server has
// connections for. It begins with listers, and learns from each refusal. The zero
// value is ready.
type turns struct {
	mu    sync.Mutex
	left  sync.Cond // signalled when somebody has left; its L is &mu
	held  int
	fewer int // than listers, since the server refused a connection
}

func (t *turns) enter() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left.L = &t.mu
	for t.held >= listers-t.fewer {
		t.left.Wait()
	}
	t.held++
}

func (t *turns) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held--
	t.left.Broadcast()
}

// shrink lets fewer be listed at once from now on than are just now.
func (t *turns) shrink() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fewer = listers - max(1, min(t.held, listers-t.fewer)-1)
}

// How often, and how soon, a directory is listed again that the server had no
// connection for. Others may hold them all for a while: uploads, or the gateways of
// other nodes.
const (
	crowdedTries = 10
	crowdedPause = 200 * time.Millisecond
)

// inTurn is Dir when it is its turn. A server without a connection for it is
// asked again, by fewer.
func (l *Lister) inTurn(ctx context.Context, dir string, fn fs.ListRCallback) error {
	for try := 1; ; try++ {
		l.turns.enter()
		err := l.Dir(ctx, dir, fn)
		crowded := backend.IsCrowded(err)
		if crowded {
			l.turns.shrink()
		}
		l.turns.leave()
		if !crowded || try == crowdedTries {
			return err
		}
		select {
		case <-time.After(time.Duration(try) * crowdedPause):
		case <-ctx.Done():
			return err
		}
	}
}
