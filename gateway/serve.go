package gateway

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// serve is the path of every request that is not the gateway's own.
func (g *Gateway) serve(w *response, r *http.Request) error {
	req := parseRequest(r)
	w.entry = entry{destination: req.destination, repo: req.repo, typ: req.typ, name: req.name}

	v := g.views.current()
	if !g.allowed(v, r.RemoteAddr) {
		return refusal.ErrAddress
	}
	if req.probe {
		return refusal.ErrNotFound
	}

	adm, err := g.admit(v, r, req)
	if adm.principal != nil {
		w.entry.user = adm.principal.Name
	}
	if err != nil {
		return err
	}

	w.entry.store = adm.store
	store, err := adm.store.acquire(r.Context())
	if err != nil {
		return err
	}
	defer adm.store.release()

	return g.rest.Serve(w, r, rest.Target{
		Store:         store,
		Destination:   req.destination,
		Repo:          req.repo,
		Type:          req.typ,
		Name:          req.name,
		Create:        req.create,
		ReplaceConfig: adm.principal.Role == catalog.RoleNode,
	})
}

// admission is what a view says of a request.
type admission struct {
	principal *catalog.Principal
	store     *store
	// news is true where a refusal rests on something that the view lacks and
	// that Redis may have by now: a user, a password, a module's UUID, a grant,
	// a destination.
	news bool
}

// admit authenticates and authorises the request against v. A refusal that may
// be news makes it ask Redis once more, so that a module gets in that was
// created a moment ago; where Redis cannot be asked, the refusal is not proven.
func (g *Gateway) admit(v *view, r *http.Request, req request) (admission, error) {
	adm, err := v.admit(r, req)
	if err == nil || !adm.news {
		return adm, err
	}
	fresh, refreshErr := g.views.renew(r.Context(), v, func(v *view) bool {
		_, err := v.admit(r, req)
		return err == nil
	})
	if refreshErr != nil {
		return adm, refreshErr
	}
	return fresh.admit(r, req)
}

// admit is the decision itself. It allocates nothing where it says yes.
func (v *view) admit(r *http.Request, req request) (admission, error) {
	var adm admission
	principal, err := v.authenticate(r)
	if err != nil {
		adm.news = !errors.Is(err, refusal.ErrNoCredentials)
		return adm, err
	}
	adm.principal = principal

	related := relate(principal, req.inside)
	if !allow(related, req.access(r.Method)) {
		adm.news = related == stranger && req.known && req.restic
		return adm, refusal.ErrScope
	}
	if !req.restic {
		return adm, notRestic(related)
	}
	if !req.known {
		return adm, refusal.ErrNotFound
	}
	if adm.store = v.stores[req.destination]; adm.store != nil {
		return adm, nil
	}
	if reason, broken := v.snapshot.Broken[req.destination]; broken {
		return adm, fmt.Errorf("%w: destination %s: %s", storage.ErrUnavailable, req.destination, reason)
	}
	adm.news = true
	return adm, refusal.ErrNotFound
}

// authenticate tells who sent the request.
func (v *view) authenticate(r *http.Request) (*catalog.Principal, error) {
	var buf [maxCredentials]byte
	user, secret, ok := parseBasic(r.Header.Get("Authorization"), buf[:])
	if !ok {
		return nil, refusal.ErrNoCredentials
	}
	if v == nil {
		return nil, refusal.ErrUnready
	}
	principal := v.snapshot.Principals[string(user)]
	if !principal.Accepts(secret) {
		return nil, unaccepted(principal)
	}
	return principal, nil
}

// unaccepted tells, for the log and the metrics alone, why credentials are not
// accepted.
func unaccepted(principal *catalog.Principal) error {
	if principal == nil {
		return refusal.ErrUnknownUser
	}
	return fmt.Errorf("%w of %s", refusal.ErrWrongPassword, principal.Name)
}

// notRestic refuses what NethServer 8 serves as WebDAV.
func notRestic(related relation) error {
	if related == operator {
		return refusal.ErrWebDAV
	}
	return refusal.ErrScope
}
