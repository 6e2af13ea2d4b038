package pairing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/admin"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/session"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/pairing"
)

const (
	// maxBody bounds a request, in bytes. A ticket has 64.
	maxBody = 4 << 10
	// timeout bounds each exchange with Redis.
	timeout = 10 * time.Second
	// guesser is the user under which failed attempts are counted, per address.
	guesser = "pairing code"
)

// Desk redeems pairing codes. It is safe for concurrent use.
type Desk struct {
	node     string
	redis    *redis.Client
	gate     *access.Gate
	current  func() *live.View
	attempts session.Attempts
}

// New returns the desk of a node's gateway. rdb is the main server, as the node; it is nil
// if the node's ID is unknown, and then no code is accepted.
func New(node string, rdb *redis.Client, gate *access.Gate, current func() *live.View) *Desk {
	return &Desk{node: node, redis: rdb, gate: gate, current: current}
}

// Close closes the connection to Redis.
func (d *Desk) Close() error {
	if d.redis == nil {
		return nil
	}
	return d.redis.Close()
}

// AddRoutes adds the path. It needs no credentials, since the ticket is one.
func (d *Desk) AddRoutes(mux chi.Router, observer *observe.Observer) {
	mux.Post(adminapi.PairPath, observer.Observe(d.serve).ServeHTTP)
}

func (d *Desk) serve(w *observe.Response, r *http.Request) error {
	w.Entry.Operation, w.Entry.Path, w.Entry.Action = operation.Admin, adminapi.PairPath, "pair"
	if !d.gate.Allows(d.current(), r.RemoteAddr) {
		return refusal.ErrAddress
	}
	from := access.HostOf(r.RemoteAddr)
	if wait := d.attempts.Wait(from, guesser, time.Now()); wait > 0 {
		refused := &refusal.WaitError{Wait: wait}
		w.Header().Set("Retry-After", refused.Seconds())
		return refused
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	var asked adminapi.PairRequest
	if err := admin.ReadJSON(r, &asked); err != nil {
		return err
	}
	record, err := d.redeem(r.Context(), asked.Ticket)
	switch {
	case errors.Is(err, refusal.ErrCode):
		d.attempts.Failed(from, guesser, time.Now())
		return err
	case err != nil:
		return err
	}
	d.attempts.Succeeded(from, guesser)
	w.Entry.User = "module/" + record.Module
	return admin.WriteJSON(w, &adminapi.PairReply{Sealed: record.Sealed})
}

// redeem takes the settings of a ticket out of Redis, which decides who is first and
// whether the ticket has expired.
func (d *Desk) redeem(ctx context.Context, ticket string) (record pairing.Record, err error) {
	if d.redis == nil {
		return record, fmt.Errorf("pairing codes without NODE_ID: %w", errors.ErrUnsupported)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	text, err := d.redis.GetDel(ctx, catalog.PairingKey(d.node, pairing.Name(ticket))).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return record, refusal.ErrCode
	case err != nil:
		return record, fmt.Errorf("%w: pairing codes are kept in Redis: %w", refusal.ErrUnready, err)
	}
	if err := json.Unmarshal(text, &record); err != nil {
		return record, fmt.Errorf("%w: what Redis has of a pairing code is not readable", refusal.ErrDefect)
	}
	return record, nil
}
