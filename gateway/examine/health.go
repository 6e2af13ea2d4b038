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
	// healthTimeout bounds each thing that is tried for a client that waits.
	healthTimeout = 10 * time.Second
	// healthExpires is how long an answer is good for others who ask.
	healthExpires = 5 * time.Second
)

// Health answers how destinations are. It keeps the latest answers, by destination: whoever asks often does not
// make the gateway ask the storage often.
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

// Ask answers how the destination is, for whoever reads repo.
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
			return answer.reply // it says nothing about the storage
		}
		answer.at = time.Now()
	}
	return answer.reply
}

// tryOut reads from the destination, past the circuit breaker and the retries, and
// writes and deletes a small file if that is asked for.
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
		_ = store.Remove(ctx, name) // deletion is not what is asked
	}
	return err
}

// failing adds why to the reply: general advice, and nothing of what the storage
// said, which names buckets and accounts. A directory is opened with no key.
func failing(reply adminapi.HealthReply, typ, state, step string, err error) adminapi.HealthReply {
	_, reply.Reason = diagnose(typ, step, err)
	reply.State, reply.KeyRefused = state, typ != live.TypeLocal && refusal.Advise(err).KeyRefused()
	return reply
}
