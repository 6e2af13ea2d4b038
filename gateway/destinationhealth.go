package gateway

import (
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/examine"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// healthRoute lets those who may read a repository ask how its destination is: a
// client whose request failed has only a status, and restic not even that.
func (g *Gateway) healthRoute() http.HandlerFunc {
	health := examine.NewHealth(g.state.Open())
	return g.observer.observe(func(w *response, r *http.Request) error {
		w.entry.operation, w.entry.path = operation.Admin, adminapi.HealthPath
		v := g.state.Current()
		if !g.allowed(v, r.RemoteAddr) {
			return refusal.ErrAddress
		}
		req, write := parseHealth(r)
		adm, err := g.admit(v, r, req)
		w.entry.user = adm.user()
		if err != nil {
			return err
		}
		w.entry.destination, w.entry.repo = req.destination, req.repo
		reply := health.Ask(r.Context(), adm.mount.Destination, req.repo, write)
		reply.RequestID = w.id.String()
		return writeJSON(w, reply)
	}).ServeHTTP
}
