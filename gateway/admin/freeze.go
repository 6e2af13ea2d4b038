package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// freezeTimeout bounds the wait until this gateway's view has the freeze.
const freezeTimeout = 10 * time.Second

// freeze keeps a module from writing to a repository.
func (h *Handlers) freeze(w *observe.Response, r *http.Request, v *live.View) error {
	return h.setFrozen(w, r, v, true)
}

// thaw lets the module write again.
func (h *Handlers) thaw(w *observe.Response, r *http.Request, v *live.View) error {
	return h.setFrozen(w, r, v, false)
}

func (h *Handlers) setFrozen(w *observe.Response, r *http.Request, v *live.View, frozen bool) error {
	var req adminapi.RepositoryRequest
	if err := ReadJSON(r, &req); err != nil {
		return err
	}
	w.Entry.Destination, w.Entry.Repo = req.Destination, req.Repository
	if err := wantRepository(v, req.Destination, req.Repository); err != nil {
		return err
	}
	reply, err := h.makeFrozen(r.Context(), catalog.Repository{Destination: req.Destination, Path: req.Repository}, frozen, w.Entry.User)
	if err != nil {
		return err
	}
	if !reply.Changed {
		w.Entry.Action = "" // nothing changed
	}
	return WriteJSON(w, reply)
}

// wantRepository refuses what cannot be a repository of a known destination.
func wantRepository(v *live.View, destination, repo string) error {
	switch {
	case v == nil:
		return refusal.ErrUnready
	case !isRepository(repo):
		return fmt.Errorf("repository %.128q: %w", repo, fs.ErrInvalid)
	case v.Mounts[destination] == nil:
		return fmt.Errorf("%w: destination %.64q", refusal.ErrNotFound, destination)
	}
	return nil
}

// errNoNode says that a freeze cannot be stored without a node ID.
var errNoNode = fmt.Errorf("a freeze is kept in Redis below node/NODE/, and this gateway has no --node-id: %w", errors.ErrUnsupported)

// makeFrozen freezes or thaws a repository for all gateways of the cluster, and returns
// when this one has loaded that. Others load it at the same time.
func (h *Handlers) makeFrozen(ctx context.Context, repository catalog.Repository, frozen bool, by string) (reply adminapi.FreezeReply, err error) {
	v, err := h.state.Refresh(ctx)
	if err != nil {
		return reply, err
	}
	then, was := v.Snapshot.Frozen[repository]
	if was == frozen {
		return adminapi.FreezeReply{Since: then.At, By: then.By}, nil
	}
	node := h.opts.Load.NodeID
	if node == "" {
		return reply, errNoNode
	}
	rdb, err := h.opts.Redis.Open()
	if err != nil {
		return reply, fmt.Errorf("%w: %w", refusal.ErrUnready, err)
	}
	defer func() { _ = rdb.Close() }()
	limited, cancel := context.WithTimeout(ctx, freezeTimeout)
	defer cancel()
	if err := catalog.WriteFreeze(limited, rdb, node, repository, frozen, by, then.At); err != nil {
		return reply, fmt.Errorf("%w: %w", refusal.ErrUnready, err)
	}
	// A replica may lag.
	does := func(v *live.View) bool { return v.Snapshot.IsFrozen(repository.Destination, repository.Path) == frozen }
	for v, err = h.state.Refresh(limited); err == nil && !does(v); {
		v, err = h.state.Renew(limited, v, does)
	}
	if err != nil {
		return reply, fmt.Errorf("what was written to Redis is not read from it: %w", err)
	}
	if !frozen {
		return adminapi.FreezeReply{Changed: true, Since: then.At, By: then.By}, nil
	}
	now := v.Snapshot.Frozen[repository]
	return adminapi.FreezeReply{Changed: true, Since: now.At, By: now.By}, nil
}
