package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
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

// healthRoute lets those who may read a repository ask how its destination is: a
// client whose request failed has only a status, and restic not even that.
func (g *Gateway) healthRoute() http.HandlerFunc {
	asked := &healthAnswers{open: g.views.open}
	return g.observer.observe(func(w *response, r *http.Request) error {
		w.entry.own, w.entry.path = opAdmin, adminapi.HealthPath
		v := g.views.current()
		if !g.allowed(v, r.RemoteAddr) {
			return refusal.ErrAddress
		}
		query := r.URL.Query()
		inner := r.Clone(r.Context())
		inner.Method, inner.URL = http.MethodGet, &url.URL{Path: "/" + query.Get("repository") + "/config"}
		req := parseRequest(inner)
		req.restic = true
		adm, err := g.admit(v, inner, req)
		if adm.principal != nil {
			w.entry.user = adm.principal.Name
		}
		if err != nil {
			return err
		}
		w.entry.destination, w.entry.repo = req.destination, req.repo
		reply := asked.about(r.Context(), adm.store.destination, req.repo, query.Get("write") == "true")
		reply.RequestID = w.id.String()
		return writeJSON(w, reply)
	}).ServeHTTP
}

// healthAnswers are the latest answers, by destination: whoever asks often does not
// make the gateway ask the storage often.
type healthAnswers struct {
	open opener

	mu   sync.Mutex
	kept map[healthQuestion]*healthAnswer
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

// about answers how the destination is, for who reads repo.
func (h *healthAnswers) about(ctx context.Context, d *catalog.Destination, repo string, write bool) adminapi.HealthReply {
	h.mu.Lock()
	if h.kept == nil {
		h.kept = make(map[healthQuestion]*healthAnswer)
	}
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
func tryOut(ctx context.Context, d *catalog.Destination, open opener, repo string, write bool) adminapi.HealthReply {
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
		return failing(reply, adminapi.HealthUnreadable, stepOpen, err)
	}
	if !write {
		return reply
	}
	if err := writeAndDelete(ctx, store); err != nil {
		return failing(reply, adminapi.HealthUnwritable, stepWrite, err)
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
// said, which names buckets and accounts.
func failing(reply adminapi.HealthReply, state, step string, err error) adminapi.HealthReply {
	_, reply.Reason = diagnose(step, err)
	reply.State, reply.KeyRefused = state, refusal.Advise(err).KeyRefused()
	return reply
}
