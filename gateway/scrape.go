package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
)

// MetricsPath is where the metrics are.
const MetricsPath = "/metrics"

// scrape answers with the metrics, to callers with the credentials of a node, from every
// address that the gateway serves.
func (g *Gateway) scrape(w *observe.Response, r *http.Request) error {
	w.Entry.Operation, w.Entry.Path = operation.Admin, MetricsPath
	if _, err := g.admitRole(w, r, catalog.RoleNode); err != nil {
		return err
	}
	g.scrapes.ServeHTTP(w, r)
	return nil
}

// newMetricsServer returns a server for the metrics only, without authentication.
func newMetricsServer(scrapes http.Handler) *http.Server {
	mux := chi.NewRouter()
	mux.Method(http.MethodGet, MetricsPath, scrapes)
	mux.Method(http.MethodHead, MetricsPath, scrapes)
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       headerTimeout,
		WriteTimeout:      headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}
}

// listenMetrics serves the metrics on their own address.
func (g *Gateway) listenMetrics(listener net.Listener) {
	if err := g.metricsServer.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		g.failed <- fmt.Errorf("listen on %s: %w", listener.Addr(), err)
	}
}
