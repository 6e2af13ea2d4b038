package gateway

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// admission is what a view says of a request.
type admission struct {
	view      *live.View
	principal *catalog.Principal
	mount     *live.Mount // nil for the gateway's own paths and the list of destinations
	// news is true where a refusal rests on something that the view lacks and
	// that Redis may have by now: a user, a password, a module's UUID, a grant,
	// a destination.
	news bool
}

// user is the name of who was admitted, or refused, where that is known.
func (a *admission) user() string {
	if a.principal == nil {
		return ""
	}
	return a.principal.Name
}

// admit admits a request to a repository.
func (g *Gateway) admit(v *live.View, r *http.Request, req request) (admission, error) {
	adm, err := admitToRepository(v, r, req)
	if err == nil || !adm.news {
		return adm, err
	}
	return g.again(adm, r, func(v *live.View) (admission, error) { return admitToRepository(v, r, req) })
}

// admitNode admits a node to one of the gateway's own paths.
func (g *Gateway) admitNode(v *live.View, r *http.Request) (admission, error) {
	adm, err := admitNode(v, r)
	if err == nil || !adm.news {
		return adm, err
	}
	return g.again(adm, r, func(v *live.View) (admission, error) { return admitNode(v, r) })
}

// again asks Redis once more about a refusal that may be news, so that a module
// gets in that was created a moment ago; where Redis cannot be asked, the refusal
// is not proven.
func (g *Gateway) again(refused admission, r *http.Request, judge func(*live.View) (admission, error)) (admission, error) {
	fresh, err := g.state.Renew(r.Context(), refused.view, func(v *live.View) bool {
		_, err := judge(v)
		return err == nil
	})
	if err != nil {
		return refused, err
	}
	return judge(fresh)
}

// admitToRepository is the decision itself. It allocates nothing where it says yes.
func admitToRepository(v *live.View, r *http.Request, req request) (admission, error) {
	adm := admission{view: v}
	var err error
	if adm.principal, err = authenticate(v, r); err != nil {
		adm.news = !errors.Is(err, refusal.ErrNoCredentials)
		return adm, err
	}

	related := relate(adm.principal, req.inside)
	if !allow(related, req.operation) {
		adm.news = related == stranger && req.mayBeGranted()
		return adm, refusal.ErrScope
	}
	if req.root {
		return adm, nil
	}
	if !req.valid || req.restic && !req.known {
		return adm, refusal.ErrNotFound
	}
	if adm.mount = v.Mounts[req.destination]; adm.mount != nil {
		return adm, nil
	}
	if reason, broken := v.Snapshot.Broken[req.destination]; broken {
		return adm, fmt.Errorf("%w: destination %s: %s", storage.ErrUnavailable, req.destination, reason)
	}
	adm.news = true
	return adm, refusal.ErrNotFound
}

// admitNode is the decision for what only nodes may do.
func admitNode(v *live.View, r *http.Request) (admission, error) {
	adm := admission{view: v}
	var err error
	if adm.principal, err = authenticate(v, r); err != nil {
		adm.news = !errors.Is(err, refusal.ErrNoCredentials)
		return adm, err
	}
	if adm.principal.Role != catalog.RoleNode {
		return adm, refusal.ErrScope
	}
	return adm, nil
}

// authenticate returns who sent the request.
func authenticate(v *live.View, r *http.Request) (*catalog.Principal, error) {
	var buf [maxCredentials]byte
	user, secret, ok := parseBasic(r.Header.Get("Authorization"), buf[:])
	if !ok {
		return nil, refusal.ErrNoCredentials
	}
	if v == nil {
		return nil, refusal.ErrUnready
	}
	principal := v.Snapshot.Principals[string(user)]
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
