package gateway

import (
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"
)

// routes is the URL map. The gateway's own paths begin with "/-/", which is no
// destination's.
func (g *Gateway) routes() http.Handler {
	mux := chi.NewRouter()
	mux.Get("/-/healthy", g.healthy)
	mux.Head("/-/healthy", g.healthy)
	mux.Get("/-/ready", g.readiness)
	mux.Head("/-/ready", g.readiness)
	g.adminRoutes(mux)
	data := g.observer.observe(g.serve)
	mux.Handle("/*", data)
	// Whatever chi does not route, methods that it does not know above all, is
	// for serve to refuse: nothing goes past authentication and the log.
	mux.NotFound(data.ServeHTTP)
	mux.MethodNotAllowed(data.ServeHTTP)
	return mux
}

// healthy answers 200 while the process serves at all.
func (g *Gateway) healthy(w http.ResponseWriter, _ *http.Request) {
	writePlain(w, http.StatusOK, "healthy\n")
}

// readiness answers 200 while the gateway serves what Redis says now, else 503.
func (g *Gateway) readiness(w http.ResponseWriter, _ *http.Request) {
	if !g.views.ready() {
		writePlain(w, http.StatusServiceUnavailable, "not ready: Redis has not been read\n")
		return
	}
	writePlain(w, http.StatusOK, "ready\n")
}

func writePlain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text) // the prober may be gone
}
