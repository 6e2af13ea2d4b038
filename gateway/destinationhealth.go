package gateway

import (
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/admin"
	"github.com/rclone-gateway/rclone-gateway/gateway/examine"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// healthRoute lets those who may read a repository ask how its destination is: a
// client whose request failed has only a status, and restic not even that.
func (g *Gateway) healthRoute() http.HandlerFunc {
	health := examine.NewHealth(g.state.Open())
	return g.observer.Observe(func(w *observe.Response, r *http.Request) error {
		w.Entry.Operation, w.Entry.Path = operation.Admin, adminapi.HealthPath
		v := g.state.Current()
		if !g.gate.Allows(v, r.RemoteAddr) {
			return refusal.ErrAddress
		}
		req, write := parseHealth(r)
		adm, err := g.gate.Admit(v, r, req.access())
		w.Entry.User = adm.User()
		if err != nil {
			return err
		}
		w.Entry.Destination, w.Entry.Repo = req.destination, req.repo
		reply := health.Ask(r.Context(), adm.Mount.Destination, req.repo, write)
		reply.RequestID = w.ID()
		return admin.WriteJSON(w, reply)
	}).ServeHTTP
}
