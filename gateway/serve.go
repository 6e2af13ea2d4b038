package gateway

import (
	"fmt"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// serve is the path of every request that is not the gateway's own.
func (g *Gateway) serve(w *response, r *http.Request) error {
	req := parseRequest(r)
	w.entry = req.entry()

	v := g.state.Current()
	if !g.allowed(v, r.RemoteAddr) {
		return refusal.ErrAddress
	}
	if req.probe {
		return refusal.ErrNotFound
	}

	adm, err := g.admit(v, r, req)
	w.entry.user = adm.user()
	if err != nil {
		return err
	}

	if req.root {
		return g.serveRoots(w, r, adm.view)
	}
	w.entry.mount = adm.mount
	if node := adm.mount.Destination.PeerNode; node != "" {
		return fmt.Errorf("%w: it is on the disk of node %s", storage.ErrUnavailable, node)
	}
	store, err := adm.mount.Acquire(r.Context())
	if err != nil {
		return err
	}
	defer adm.mount.Release()

	if !req.restic {
		return g.serveDAV(w, r, req, store)
	}
	if err := req.holds(r, store); err != nil {
		return err
	}
	return g.rest.Serve(w, r, rest.Target{
		Store:         store,
		Destination:   req.destination,
		Repo:          req.repo,
		Type:          req.typ,
		Name:          req.name,
		Operation:     req.operation,
		ReplaceConfig: adm.principal.Role == catalog.RoleNode,
	})
}
