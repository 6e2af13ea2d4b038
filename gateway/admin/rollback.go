package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// rollback makes a repository what it was, or says how.
func (*Handlers) rollback(w *observe.Response, r *http.Request, v *live.View) error {
	var req adminapi.RollbackRequest
	if err := ReadJSON(r, &req); err != nil {
		return err
	}
	w.Entry.Destination, w.Entry.Repo = req.Destination, req.Repository
	if !isRepository(req.Repository) || req.To.IsZero() {
		return fmt.Errorf("repository %.128q, time %s: %w", req.Repository, req.To, fs.ErrInvalid)
	}
	kept, release, err := acquireTrash(r.Context(), v, req.Destination)
	if err != nil {
		return err
	}
	defer release()
	plan, err := kept.PlanRollback(r.Context(), req.Repository, req.To, req.Keys)
	if errors.Is(err, trash.ErrHorizon) {
		horizon, err := kept.Horizon(r.Context(), req.Repository)
		if err != nil {
			return err
		}
		return WriteJSON(w, adminapi.RollbackReply{Horizon: horizon})
	}
	if err != nil {
		return err
	}
	if !req.DryRun {
		if err := kept.Rollback(r.Context(), req.Repository, plan); err != nil {
			return err
		}
	}
	reply := adminapi.RollbackReply{Leaving: map[string]int{}, Returning: map[string]int{}, Locks: plan.Locks}
	for _, o := range plan.Leaving {
		reply.Leaving[o.Kind]++
	}
	for _, e := range plan.Returning {
		reply.Returning[e.Kind]++
	}
	return WriteJSON(w, reply)
}
