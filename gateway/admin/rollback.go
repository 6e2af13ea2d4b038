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
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// rollbackRounds bounds the rounds of planning and rolling back: uploads that began before
// the freeze may end after the first round.
const rollbackRounds = 3

// rollback freezes a repository and returns it to a past state, or does a dry run.
func (h *Handlers) rollback(w *observe.Response, r *http.Request, v *live.View) error {
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
	reply := adminapi.RollbackReply{Leaving: map[string]int{}, Returning: map[string]int{}}
	// Refuse the impossible before anything is frozen.
	plan, err := possibleRollback(r.Context(), kept, req)
	if early, ok := errors.AsType[*storage.HorizonError](err); ok {
		w.Entry.Action = ""
		return WriteJSON(w, adminapi.RollbackReply{Horizon: early.Earliest})
	}
	if err != nil {
		return err
	}
	if req.DryRun {
		w.Entry.Action = "" // a dry run
		addPlan(&reply, plan)
		reply.Frozen = v.Snapshot.IsFrozen(req.Destination, req.Repository)
		return WriteJSON(w, reply)
	}
	if _, err := h.makeFrozen(r.Context(), catalog.Repository{Destination: req.Destination, Path: req.Repository}, true, w.Entry.User); err != nil {
		return err
	}
	reply.Frozen = true
	err = rollBack(r.Context(), kept, req, &reply)
	h.opts.LocksRemoved(req.Destination, req.Repository)
	if err != nil {
		return err
	}
	return WriteJSON(w, reply)
}

// possibleRollback plans a rollback, and returns an error if the time is not over or if there
// is no repository.
func possibleRollback(ctx context.Context, kept *trash.Store, req adminapi.RollbackRequest) (trash.Plan, error) {
	if req.To.After(time.Now()) {
		return trash.Plan{}, fmt.Errorf("%w: %s", storage.ErrFuture, req.To.UTC().Format(time.RFC3339))
	}
	plan, err := kept.PlanRollback(ctx, req.Repository, req.To, req.Keys)
	if err == nil && len(plan.Leaving)+len(plan.Returning) == 0 {
		_, err = kept.Stat(ctx, req.Repository+"/config")
	}
	return plan, err
}

// rollBack plans and rolls back until nothing is left to do.
func rollBack(ctx context.Context, kept *trash.Store, req adminapi.RollbackRequest, reply *adminapi.RollbackReply) error {
	for range rollbackRounds {
		plan, err := kept.PlanRollback(ctx, req.Repository, req.To, req.Keys)
		if err != nil {
			return err
		}
		if len(plan.Leaving)+len(plan.Returning)+plan.Locks == 0 {
			return nil
		}
		if err := kept.Rollback(ctx, req.Repository, plan); err != nil {
			return err
		}
		addPlan(reply, plan)
	}
	return nil
}

// addPlan adds a plan to the reply's counts.
func addPlan(reply *adminapi.RollbackReply, plan trash.Plan) {
	for _, o := range plan.Leaving {
		reply.Leaving[o.Kind]++
	}
	for _, e := range plan.Returning {
		reply.Returning[e.Kind]++
	}
	reply.Locks += plan.Locks
}
