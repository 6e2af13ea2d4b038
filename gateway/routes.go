package gateway

import (
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// routes is the URL map. serve answers or refuses everything but the gateway's own paths,
// unknown methods included, so that no request passes by authentication and the log. These
// requests do not go through chi, which would copy each one and allocate a map for it.
func (g *Gateway) routes() http.Handler {
	data := g.observer.Observe(g.serve)
	own := g.ownRoutes()
	own.NotFound(data.ServeHTTP)
	own.MethodNotAllowed(data.ServeHTTP)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isOwn(r) {
			own.ServeHTTP(w, r)
			return
		}
		data.ServeHTTP(w, r)
	})
}

// ownRoutes are the gateway's own paths.
func (g *Gateway) ownRoutes() *chi.Mux {
	mux := chi.NewRouter()
	for path, probe := range map[string]observe.Handler{"/-/healthy": g.healthy, "/-/ready": g.readiness} {
		observed := g.observer.Observe(probed(path, probe)).ServeHTTP
		mux.Get(path, observed)
		mux.Head(path, observed)
	}
	mux.Get(MetricsPath, g.observer.Observe(g.scrape).ServeHTTP)
	g.adminRoutes(mux)
	mux.Get(adminapi.HealthPath, g.healthRoute())
	g.dash.AddRoutes(mux, g.observer)
	g.leaseRoutes(mux)
	g.pairing.AddRoutes(mux, g.observer)
	g.moduleRoutes(mux)
	return mux
}

// admit admits a caller of one of the gateway's own paths: its address first, then what
// judge says of its credentials.
func (g *Gateway) admit(w *observe.Response, r *http.Request, judge func(*live.View) (access.Admission, error)) (access.Admission, error) {
	v := g.state.Current()
	if !g.gate.Allows(v, r.RemoteAddr) {
		return access.Admission{}, refusal.ErrAddress
	}
	adm, err := judge(v)
	w.Entry.User = adm.User()
	return adm, err
}

// admitRole is admit for callers with a role.
func (g *Gateway) admitRole(w *observe.Response, r *http.Request, role catalog.Role) (access.Admission, error) {
	return g.admit(w, r, func(v *live.View) (access.Admission, error) { return g.gate.AdmitRole(v, r, role) })
}

// probed marks the requests that h answers as health probes.
func probed(path string, h observe.Handler) observe.Handler {
	return func(w *observe.Response, r *http.Request) error {
		w.Entry.Operation, w.Entry.Path = operation.Probe, path
		return h(w, r)
	}
}

// healthy answers 200 while the process serves at all.
func (g *Gateway) healthy(w *observe.Response, _ *http.Request) error {
	return writePlain(w, "healthy\n")
}

// readiness answers 200 while the gateway serves what Redis says now, else 503.
func (g *Gateway) readiness(w *observe.Response, _ *http.Request) error {
	if !g.state.Ready() {
		w.Header().Set("Cache-Control", "no-store")
		return refusal.ErrNotReady
	}
	return writePlain(w, "ready\n")
}

func writePlain(w http.ResponseWriter, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, err := io.WriteString(w, text)
	return err
}
