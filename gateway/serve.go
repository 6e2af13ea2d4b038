package gateway

import (
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
)

// serve is the path of every request that is not the gateway's own.
func (g *Gateway) serve(w *response, r *http.Request) error {
	req := parseRequest(r)
	w.entry = req.entry()
	nameBackend(w.Header(), g.backend)

	v := g.state.Current()
	if !g.allowed(v, r.RemoteAddr) {
		return refusal.ErrAddress
	}
	if req.probe {
		return g.answerProbe(w, v, req)
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
	if link, err := g.peers.Route(adm.view, adm.mount, isLocal(r.RemoteAddr), isHop(r)); link != nil || err != nil {
		return g.forward(w, r, req, link, err)
	}
	err = g.serveHere(w, r, req, adm)
	adm.mount.Guard.Ended(r.Context(), err)
	return err
}

// serveHere answers from the destination's store on this node.
func (g *Gateway) serveHere(w http.ResponseWriter, r *http.Request, req request, adm admission) error {
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
