package gateway

import (
	"context"
	"net"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/wire"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// serveAdmin serves the administrative socket, for what nobody may do from elsewhere,
// whatever they know: only processes of the gateway's own user, or of root, are heard.
func (g *Gateway) serveAdmin(listener net.Listener) (stop func(context.Context) error) {
	mux := chi.NewRouter()
	mux.Post(adminapi.TrashEmptyPath, g.observer.observe(g.onThisHost(adminapi.TrashEmptyPath)).ServeHTTP)
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          g.server.ErrorLog,
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(wire.OwnPeers{Listener: listener}) // until the stop
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

// onThisHost answers what came by the administrative socket.
func (g *Gateway) onThisHost(path string) handler {
	return func(w *response, r *http.Request) error {
		w.entry.operation, w.entry.path = operation.Admin, path
		w.entry.user = "administrator of the gateway's host"
		r.Body = http.MaxBytesReader(w, r.Body, maxAdminBody)
		return g.trashEmpty(w, r, g.state.Current())
	}
}
