package examine

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

const (
	// healthTimeout bounds each attempt for a waiting client.
	healthTimeout = 10 * time.Second
	// healthExpires is how long an answer is reused.
	healthExpires = 5 * time.Second
)

// Health reports the state of destinations. It caches the latest answers, so that frequent
// requests do not reach the storage.
type Health struct {
	open live.Opener

	mu   sync.Mutex
	kept map[healthQuestion]*healthAnswer
}

// NewHealth returns a Health that opens destinations with open.
func NewHealth(open live.Opener) *Health {
	return &Health{open: open, kept: make(map[healthQuestion]*healthAnswer)}
}

type healthQuestion struct {
	destination string
	write       bool
}

type healthAnswer struct {
	mu    sync.Mutex
	at    time.Time
	reply adminapi.HealthReply
}

// Ask reports the state of a destination to a reader of repo.
func (h *Health) Ask(ctx context.Context, d *catalog.Destination, repo string, write bool) adminapi.HealthReply {
	h.mu.Lock()
	question := healthQuestion{d.ID, write}
	answer := h.kept[question]
	if answer == nil {
		answer = new(healthAnswer)
		h.kept[question] = answer
	}
	h.mu.Unlock()

	answer.mu.Lock()
	defer answer.mu.Unlock()
	if time.Since(answer.at) > healthExpires {
		answer.reply = tryOut(ctx, d, h.open, repo, write)
		if ctx.Err() != nil {
			return answer.reply // the error says nothing about the storage
		}
		answer.at = time.Now()
	}
	return answer.reply
}

// tryOut reads from the destination, without circuit breaker and retries. With write it
// also writes and deletes a small file.
func tryOut(ctx context.Context, d *catalog.Destination, open live.Opener, repo string, write bool) adminapi.HealthReply {
	reply := adminapi.HealthReply{Destination: d.ID, Name: d.Name, State: adminapi.HealthWorks}
	ctx, cancel := context.WithTimeout(ctx, 2*healthTimeout)
	defer cancel()
	store, closer, err := open(ctx, d)
	if closer != nil {
		defer func() { _ = closer.Close() }()
	}
	if err == nil {
		_, err = store.Stat(ctx, repo+"/config")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failing(reply, d.Type, adminapi.HealthUnreadable, stepOpen, err)
	}
	if !write {
		return reply
	}
	if err := writeAndDelete(ctx, store); err != nil {
		return failing(reply, d.Type, adminapi.HealthUnwritable, stepWrite, err)
	}
	return reply
}

func writeAndDelete(ctx context.Context, store storage.Store) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	name := proofPrefix + rand.Text()
	content := []byte("written to see whether rclone-gateway can write; may be deleted\n")
	err := store.Put(ctx, name, int64(len(content)), bytes.NewReader(content))
	if err == nil {
		_ = store.Remove(ctx, name) // the answer does not depend on deletion
	}
	return err
}

// failing adds the cause to the reply as general advice. The storage's message stays out,
// since it names buckets and accounts. A directory is opened without a key.
func failing(reply adminapi.HealthReply, typ, state, step string, err error) adminapi.HealthReply {
	_, reply.Reason = diagnose(typ, step, err)
	reply.State, reply.KeyRefused = state, typ != live.TypeLocal && refusal.Advise(err).KeyRefused()
	return reply
}
