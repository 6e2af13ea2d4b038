package gateway

import (
	"context"
	"net"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/admin"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/dashboard"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/wire"
)

// maxAdminBody bounds a request to the administrative endpoint, in bytes: an
// rclone section of NethServer 8 has up to 100,000 characters.
const maxAdminBody = 1 << 20

// adminRoutes adds the administrative paths, for the nodes' tools on this host.
func (g *Gateway) adminRoutes(mux chi.Router) {
	for _, route := range g.admin.Routes() {
		if !route.Host {
			mux.Post(route.Path, g.observer.Observe(g.administered(route)).ServeHTTP)
		}
	}
}

// administered admits callers on this host with the credentials of a node.
func (g *Gateway) administered(route admin.Route) observe.Handler {
	return func(w *observe.Response, r *http.Request) error {
		w.Entry.Operation, w.Entry.Path, w.Entry.Action = operation.Admin, route.Path, route.Action
		if !access.IsLocal(r.RemoteAddr) {
			return refusal.ErrAddress
		}
		adm, err := g.gate.AdmitRole(g.state.Current(), r, catalog.RoleNode)
		w.Entry.User = adm.User()
		if err != nil {
			return err
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxAdminBody)
		return route.Serve(w, r, adm.View)
	}
}

// serveAdmin serves the administrative socket. Only processes of the gateway's own user, or
// of root, may connect. It offers what no credentials give access to.
func (g *Gateway) serveAdmin(listener net.Listener) (stop func(context.Context) error) {
	server := &http.Server{
		Handler:           g.socketRoutes(),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          g.server.ErrorLog,
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(wire.OwnPeers{Listener: listener}) // until server.Shutdown
	}()
	return func(ctx context.Context) error {
		err := server.Shutdown(ctx)
		if err != nil {
			_ = server.Close() // cuts what is left
		}
		<-ended
		return err
	}
}

// socketRoutes returns the paths of the administrative socket.
func (g *Gateway) socketRoutes() *chi.Mux {
	mux := chi.NewRouter()
	for _, route := range g.admin.Routes() {
		if route.Host {
			mux.Post(route.Path, g.observer.Observe(g.onThisHost(route)).ServeHTTP)
		}
	}
	g.dash.AddHostRoutes(mux, g.observer)
	return mux
}

// onThisHost returns the handler of a route on the administrative socket.
func (g *Gateway) onThisHost(route admin.Route) observe.Handler {
	return func(w *observe.Response, r *http.Request) error {
		w.Entry.Operation, w.Entry.Path, w.Entry.Action = operation.Admin, route.Path, route.Action
		w.Entry.User = dashboard.HostViewer
		r.Body = http.MaxBytesReader(w, r.Body, maxAdminBody)
		return route.Serve(w, r, g.state.Current())
	}
}
