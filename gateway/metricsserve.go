package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// MetricsPath is where the metrics are.
const MetricsPath = "/metrics"

// scrape answers with the metrics who has the credentials of a node, from
// wherever the gateway is open to.
func (g *Gateway) scrape(w *response, r *http.Request) error {
	w.entry.own, w.entry.path = opAdmin, MetricsPath
	if !g.allowed(g.views.current(), r.RemoteAddr) {
		return refusal.ErrAddress
	}
	_, principal, err := g.node(r)
	if principal != nil {
		w.entry.user = principal.Name
	}
	if err != nil {
		return err
	}
	g.exposition.ServeHTTP(w, r)
	return nil
}

// newMetricsServer serves the metrics, and nothing else, to whoever can reach its
// listener.
func (g *Gateway) newMetricsServer() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET "+MetricsPath, g.exposition)
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       headerTimeout,
		WriteTimeout:      headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          g.server.ErrorLog,
	}
}

// listenMetrics serves the metrics on the address of their own.
func (g *Gateway) listenMetrics(listener net.Listener) {
	if err := g.metricsServer.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		g.failed <- fmt.Errorf("listen on %s: %w", listener.Addr(), err)
	}
}
