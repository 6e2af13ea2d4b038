package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"

	"github.com/go-chi/chi/v5"

	"github.com/rclone-gateway/rclone-gateway/gateway/examine"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// maxAdminBody bounds a request to the administrative endpoint, in bytes: an
// rclone section of NethServer 8 has up to 100,000 characters.
const maxAdminBody = 1 << 20

// adminRoutes adds the administrative endpoint, for the nodes' own tools on this
// host. Bodies hold secrets: no part of one is logged, or answered.
func (g *Gateway) adminRoutes(mux chi.Router) {
	mux.Post(adminapi.CheckPath, g.observer.observe(g.administered(adminapi.CheckPath, g.checkDestination)).ServeHTTP)
	mux.Post(adminapi.ObscurePath, g.observer.observe(g.administered(adminapi.ObscurePath, g.obscure)).ServeHTTP)
	mux.Post(adminapi.TrashListPath, g.observer.observe(g.administered(adminapi.TrashListPath, g.trashList)).ServeHTTP)
	mux.Post(adminapi.TrashRestorePath, g.observer.observe(g.administered(adminapi.TrashRestorePath, g.trashRestore)).ServeHTTP)
	mux.Post(adminapi.RollbackPath, g.observer.observe(g.administered(adminapi.RollbackPath, g.rollback)).ServeHTTP)
	mux.Post(adminapi.SpacePath, g.observer.observe(g.administered(adminapi.SpacePath, g.space)).ServeHTTP)
}

// administered lets in who calls from this host with the credentials of a node.
func (g *Gateway) administered(path string, h func(w *response, r *http.Request, v *live.View) error) handler {
	return func(w *response, r *http.Request) error {
		w.entry.operation, w.entry.path = operation.Admin, path
		if !isThisHost(r.RemoteAddr) {
			return refusal.ErrAddress
		}
		adm, err := g.admitNode(g.state.Current(), r)
		w.entry.user = adm.user()
		if err != nil {
			return err
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxAdminBody)
		return h(w, r, adm.view)
	}
}

// isThisHost reports whether the caller is on the loopback interface or a unix
// socket.
func isThisHost(remoteAddr string) bool {
	remote, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return isUnixPeer(remoteAddr)
	}
	return remote.Addr().Unmap().IsLoopback()
}

// checkDestination tests a destination and answers with the report, whether it
// works or not.
func (g *Gateway) checkDestination(w *response, r *http.Request, v *live.View) error {
	var req adminapi.CheckRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	w.entry.destination = req.ID
	if req.Candidate == nil {
		// It may have been written a moment ago.
		fresh, err := g.state.Refresh(r.Context())
		if err != nil {
			return err
		}
		v = fresh
	}
	d, err := examine.Wanted(v.Snapshot, g.opts.Load, req)
	switch {
	case errors.Is(err, examine.ErrUnknownDestination):
		return fmt.Errorf("%w: %w", refusal.ErrNotFound, err)
	case err != nil:
		return writeJSON(w, &adminapi.CheckReport{ID: req.ID, Error: adminapi.NotAccessible, Reason: err.Error()})
	}
	return writeJSON(w, examine.Run(r.Context(), d, g.state.Open(), req))
}

// obscure answers with the values as an rclone section holds them.
func (g *Gateway) obscure(w *response, r *http.Request, _ *live.View) error {
	var req adminapi.ObscureRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	reply, err := Obscure(req)
	if err != nil {
		return fmt.Errorf("%w: %w", fs.ErrInvalid, err)
	}
	return writeJSON(w, reply)
}

// Obscure answers with the values of a section as rclone holds them. Its error
// names none.
func Obscure(req adminapi.ObscureRequest) (adminapi.ObscureReply, error) {
	values, err := backend.Obscure(req.Type, req.Values)
	return adminapi.ObscureReply{Values: values}, err
}

// space answers with the space of all destinations.
func (g *Gateway) space(w *response, r *http.Request, v *live.View) error {
	return writeJSON(w, adminapi.SpaceReply{Destinations: v.Space(r.Context())})
}

// readJSON decodes a body. Its error does not quote the body.
func readJSON(r *http.Request, v any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return fmt.Errorf("%w: the body is not the JSON that is wanted here", fs.ErrInvalid)
	}
	return nil
}

func writeJSON(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", refusal.ErrDefect, err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, err = w.Write(append(body, '\n'))
	return err
}
