package admin

import (
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/history"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// history answers with the history of a repository.
func (h *Handlers) history(w *observe.Response, r *http.Request, v *live.View) error {
	var req adminapi.RepositoryRequest
	if err := ReadJSON(r, &req); err != nil {
		return err
	}
	w.Entry.Destination, w.Entry.Repo = req.Destination, req.Repository
	if err := wantRepository(v, req.Destination, req.Repository); err != nil {
		return err
	}
	kept, release, err := acquireTrash(r.Context(), v, req.Destination)
	if err != nil {
		return err
	}
	defer release()
	reply, err := history.Of(r.Context(), kept, req.Repository)
	if err != nil {
		return err
	}
	if freeze, frozen := v.Snapshot.Frozen[catalog.Repository{Destination: req.Destination, Path: req.Repository}]; frozen {
		reply.Frozen, reply.FrozenBy = freeze.At, freeze.By
	}
	if reply.Deeds, err = history.Deeds(h.opts.Audit, req.Destination, req.Repository); err != nil {
		return err
	}
	if h.opts.Audit != nil {
		head, err := h.opts.Audit.Head()
		if err != nil {
			return err
		}
		reply.AuditHead = head.String()
	}
	return WriteJSON(w, reply)
}
