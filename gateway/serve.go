package gateway

import (
	"net/http"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/guard"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/peer"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
)

// serve handles every request except those to the gateway's own paths.
func (g *Gateway) serve(w *observe.Response, r *http.Request) error {
	req := parseRequest(r)
	w.Entry = req.entry()
	nameBackend(w.Header(), g.backend)

	v := g.state.Current()
	if !g.gate.Allows(v, r.RemoteAddr) {
		return refusal.ErrAddress
	}
	if req.probe {
		return g.answerProbe(w, v, req)
	}

	adm, err := g.gate.Admit(v, r, req.access())
	w.Entry.User = adm.User()
	if err != nil {
		return err
	}

	if req.root {
		return g.serveRoots(w, r, adm.View)
	}
	w.Entry.Mount = adm.Mount
	if err := g.demandLease(r.Context(), &adm, &req); err != nil {
		return err
	}
	if link, err := g.peers.Route(adm.View, adm.Mount, access.IsLocal(r.RemoteAddr), peer.IsHop(r)); link != nil || err != nil {
		err = g.forward(w, r, req, adm.Principal.Role == catalog.RoleNode, link, err)
		g.noteLock(&adm, &req, err)
		return err
	}
	err = adm.Mount.TellTrash(r.Context(), g.giveWay(r, adm.Mount, w, g.serveHere(w, r, req, adm)))
	g.noteLock(&adm, &req, err)
	adm.Mount.Guard.Ended(r.Context(), err)
	return err
}

// serveHere answers from the destination's store on this node.
func (g *Gateway) serveHere(w http.ResponseWriter, r *http.Request, req request, adm access.Admission) error {
	store, err := adm.Mount.Acquire(r.Context())
	if err != nil {
		return err
	}
	defer adm.Mount.Release()

	if !req.restic {
		return g.serveDAV(w, r, req, store)
	}
	if req.view.asked {
		return g.servePast(w, r, req, adm)
	}
	if adm.Frozen && req.typ == object.Locks {
		return g.serveOwnLocks(w, r, req, adm, store)
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
		ReplaceConfig: adm.Principal.Role == catalog.RoleNode,
		AddKey:        access.Allow(access.Relate(adm.Principal, req.inside), operation.AddKey),
		Trash:         trashOf(adm),
		Meter:         meterOf(adm),
	})
}

// trashOf returns the destination's trash, nil if it has none.
func trashOf(adm access.Admission) rest.Trash {
	if kept := adm.Mount.Trash(); kept != nil {
		return kept
	}
	return nil
}

// meter limits what a module saves at a destination.
type meter struct {
	guard *guard.Guard
	user  string
}

// meterOf returns the limits of the admitted user. Nodes have none, since they copy whole
// repositories.
func meterOf(adm access.Admission) rest.Meter {
	if adm.Principal.Role == catalog.RoleNode {
		return nil
	}
	return &meter{adm.Mount.Guard, adm.Principal.Name}
}

// Take implements [rest.Meter].
func (m *meter) Take(typ object.Type) (giveBack func(), wait time.Duration, ok bool) {
	if typ == object.Snapshots {
		return m.guard.Take(m.user, guard.Snapshots)
	}
	return m.guard.Take(m.user, guard.Indexes)
}

// MaxLocks implements [rest.Meter].
func (m *meter) MaxLocks() int { return m.guard.MaxLocks() }
