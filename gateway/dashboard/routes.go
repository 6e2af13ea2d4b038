package dashboard

import (
	"fmt"
	"io/fs"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// admitter admits a caller; nil without an error redirects to the login.
type admitter func(w *observe.Response, r *http.Request) (*viewer, error)

// routes adds routes to a router.
type routes struct {
	*Dashboard

	mux      chi.Router
	observer *observe.Observer
}

// AddRoutes adds the pages, with login, and the API, with credentials.
func (d *Dashboard) AddRoutes(mux chi.Router, observer *observe.Observer) {
	r := &routes{d, mux, observer}
	r.addAPI(d.admitToAPI)
	r.addPages(d.admitToPage)
	r.addActions(d.admitToPage)
	r.addLogin()
}

// AddHostRoutes adds the pages and the API for callers on the administrative socket.
func (d *Dashboard) AddHostRoutes(mux chi.Router, observer *observe.Observer) {
	r := &routes{d, mux, observer}
	r.addAPI(d.admitFromHost)
	r.addPages(d.admitFromHost)
	r.addActions(d.admitFromHost)
}

// look adds a read-only route.
func (r *routes) look(path string, h observe.Handler) {
	observed := r.observer.Observe(func(w *observe.Response, req *http.Request) error {
		w.Entry.Operation, w.Entry.Path = operation.Admin, path
		return h(w, req)
	}).ServeHTTP
	r.mux.Get(path, observed)
	r.mux.Head(path, observed)
}

// act adds a route that changes something. It refuses cross-site requests.
func (r *routes) act(path string, h observe.Handler) {
	r.mux.Post(path, r.observer.Observe(func(w *observe.Response, req *http.Request) error {
		w.Entry.Operation, w.Entry.Path = operation.Admin, path
		if err := r.foreign.Check(req); err != nil {
			return fmt.Errorf("%w: %w", refusal.ErrForbidden, err)
		}
		req.Body = http.MaxBytesReader(w, req.Body, maxForm)
		if err := req.ParseForm(); err != nil {
			return fmt.Errorf("%w: the form cannot be read", fs.ErrInvalid)
		}
		return h(w, req)
	}).ServeHTTP)
}
