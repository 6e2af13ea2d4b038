package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/admin"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/moduleapi"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// moduleRoutes adds the paths for modules on hosts without Redis. They are open to every
// address that the gateway serves.
func (g *Gateway) moduleRoutes(mux chi.Router) {
	mux.Get(adminapi.ModuleFactsPath, g.moduleRoute(adminapi.ModuleFactsPath, g.moduleFacts))
	mux.Get(adminapi.ModulePasswordPath, g.moduleRoute(adminapi.ModulePasswordPath, g.modulePassword))
	mux.Get(adminapi.ModuleDumpsPath, g.moduleRoute(adminapi.ModuleDumpsPath, g.moduleDumps))
	mux.Post(adminapi.ModuleOutcomesPath, g.moduleRoute(adminapi.ModuleOutcomesPath, g.moduleOutcomes))
}

// moduleRoute returns the handler of a path for modules: it admits the module and calls h.
func (g *Gateway) moduleRoute(path string, h func(w *observe.Response, r *http.Request, adm access.Admission) error) http.HandlerFunc {
	return g.observer.Observe(func(w *observe.Response, r *http.Request) error {
		w.Entry.Operation, w.Entry.Path = operation.Admin, path
		adm, err := g.admitRole(w, r, catalog.RoleModule)
		if err != nil {
			return err
		}
		return h(w, r, adm)
	}).ServeHTTP
}

// moduleFacts answers from the present content of Redis or, while Redis is down, from the
// last view.
func (g *Gateway) moduleFacts(w *observe.Response, r *http.Request, adm access.Admission) error {
	v, stale := adm.View, false
	if fresh, err := g.state.Refresh(r.Context()); err == nil {
		v = fresh
	} else {
		stale = true
	}
	module := v.Snapshot.Principals[adm.User()]
	if module == nil {
		return refusal.ErrUnknownUser // it was removed just now
	}
	facts := moduleapi.Facts(v.Snapshot, module)
	facts.Stale = stale
	return admin.WriteJSON(w, &facts)
}

// modulePassword answers with a repository's password, to modules that may read it.
func (g *Gateway) modulePassword(w *observe.Response, r *http.Request, adm access.Admission) error {
	req, _ := parseHealth(r)
	switch _, err := g.gate.Admit(adm.View, r, req.access()); {
	case err != nil:
		return err
	case req.repo == "" || req.view.asked: // a past state of a repository has no password of its own
		return refusal.ErrNotFound
	}
	w.Entry.Destination, w.Entry.Repo, w.Entry.Action = req.destination, req.repo, "read password"
	password, err := g.modules.Password(r.Context(), req.destination, req.repo)
	if err != nil {
		return err
	}
	return admin.WriteJSON(w, &password)
}

func (g *Gateway) moduleDumps(w *observe.Response, r *http.Request, adm access.Admission) error {
	dumps, err := g.modules.Dumps(r.Context(), adm.Principal.ID)
	if err != nil {
		return err
	}
	return admin.WriteJSON(w, &dumps)
}

func (g *Gateway) moduleOutcomes(w *observe.Response, r *http.Request, adm access.Admission) error {
	if err := g.modules.Allow(adm.Principal.ID); err != nil {
		return err
	}
	posted, err := readOutcomes(w, r)
	if err != nil {
		return err
	}
	v := adm.View
	listed := func(v *live.View) bool {
		return moduleapi.Lists(v.Snapshot, adm.Principal.ID, posted.Outcomes)
	}
	if !listed(v) {
		// The schedule may have been added after the view was loaded.
		if v, err = g.state.Renew(r.Context(), v, listed); err != nil {
			return err
		}
	}
	recorded, err := g.modules.Record(r.Context(), moduleapi.Facts(v.Snapshot, adm.Principal), posted.Outcomes)
	if err != nil {
		return err
	}
	return admin.WriteJSON(w, &recorded)
}

// readOutcomes reads the body of a POST of outcomes, and refuses one that is too large.
func readOutcomes(w http.ResponseWriter, r *http.Request) (posted adminapi.ModuleOutcomes, err error) {
	body := http.MaxBytesReader(w, r.Body, adminapi.MaxOutcomesBody)
	r.Body = body
	if err = admin.ReadJSON(r, &posted); err == nil {
		return posted, nil
	}
	// ReadJSON does not wrap its cause: only the rest of the body shows whether the size
	// was at fault.
	_, errRest := io.Copy(io.Discard, body)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](errRest); tooLarge {
		return posted, fmt.Errorf("%w: more than %d bytes", refusal.ErrOutcomeSize, adminapi.MaxOutcomesBody)
	}
	return posted, err
}
