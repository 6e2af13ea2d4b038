package gateway

import (
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/admin"
	"github.com/rclone-gateway/rclone-gateway/gateway/examine"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// healthRoute tells callers that may read a repository how its destination is. A client
// whose request failed knows only the status, and restic does not pass on even that.
func (g *Gateway) healthRoute() http.HandlerFunc {
	health := examine.NewHealth(g.state.Open())
	return g.observer.Observe(func(w *observe.Response, r *http.Request) error {
		w.Entry.Operation, w.Entry.Path = operation.Admin, adminapi.HealthPath
		req, write := parseHealth(r)
		adm, err := g.admit(w, r, func(v *live.View) (access.Admission, error) { return g.gate.Admit(v, r, req.access()) })
		if err != nil {
			return err
		}
		w.Entry.Destination, w.Entry.Repo = req.destination, req.repo
		reply := health.Ask(r.Context(), adm.Mount.Destination, req.repo, write)
		reply.RequestID = w.ID()
		return admin.WriteJSON(w, reply)
	}).ServeHTTP
}
