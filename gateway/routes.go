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
	for path, probe := range map[string]handler{"/-/healthy": g.healthy, "/-/ready": g.readiness} {
		observed := g.observer.observe(probed(path, probe)).ServeHTTP
		mux.Get(path, observed)
		mux.Head(path, observed)
	}
	mux.Get(MetricsPath, g.observer.observe(g.scrape).ServeHTTP)
	g.adminRoutes(mux)
	data := g.observer.observe(g.serve)
	mux.Handle("/*", data)
	// Whatever chi does not route, methods that it does not know above all, is
	// for serve to refuse: nothing goes past authentication and the log.
	mux.NotFound(data.ServeHTTP)
	mux.MethodNotAllowed(data.ServeHTTP)
	return mux
}

// probed marks what h answers as a prober's question.
func probed(path string, h handler) handler {
	return func(w *response, r *http.Request) error {
		w.entry.own, w.entry.path = opProbe, path
		return h(w, r)
	}
}

// healthy answers 200 while the process serves at all.
func (g *Gateway) healthy(w *response, _ *http.Request) error {
	return writePlain(w, http.StatusOK, "healthy\n")
}

// readiness answers 200 while the gateway serves what Redis says now, else 503.
func (g *Gateway) readiness(w *response, _ *http.Request) error {
	if !g.views.ready() {
		w.Header().Set("X-Request-Id", w.id)
		return writePlain(w, http.StatusServiceUnavailable, "not ready: Redis has not been read (request "+w.id+")\n")
	}
	return writePlain(w, http.StatusOK, "ready\n")
}

func writePlain(w http.ResponseWriter, code int, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, err := io.WriteString(w, text)
	return err
}
