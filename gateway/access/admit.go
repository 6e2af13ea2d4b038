package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// Gate is where requests are admitted.
type Gate struct {
	State *live.State
	// AllowFrom are networks whose callers are accepted in addition to those of this host
	// and of cluster/network.
	AllowFrom []netip.Prefix

	unproven unproven
}

// Request is what a request wants, as far as it matters to whether it may have it.
type Request struct {
	Operation operation.Operation
	// Root is true for the list of destinations; the others are empty then.
	Root bool
	// Destination is its ID, and Inside the path within it, as it stood on the wire.
	Destination, Inside string
	// Valid is false where the path can name nothing in a destination.
	Valid bool
	// MayBeGranted is true where the path is that of some repository, so that a refusal
	// may rest on what Redis did not say yet.
	MayBeGranted bool
	// Repo is the repository, empty where there is none, or it is one as it was. Refused is why what is
	// asked is refused to everybody, who may ask it.
	Repo    string
	Refused error
}

// Admission is what a view says of a request.
type Admission struct {
	View      *live.View
	Principal *catalog.Principal
	Mount     *live.Mount // nil for the gateway's own paths and the list of destinations
	// News is true where a refusal rests on something that the view lacks and
	// that Redis may have by now: a user, a password, a module's UUID, a grant,
	// a destination.
	News bool
	// Frozen is true for a module at a repository that is frozen.
	Frozen bool
}

// User is the name of who was admitted, or refused, where that is known.
func (a *Admission) User() string {
	if a.Principal == nil {
		return ""
	}
	return a.Principal.Name
}

// Admit admits a request to a repository.
func (g *Gate) Admit(v *live.View, r *http.Request, req Request) (Admission, error) {
	adm, err := Decide(v, r, req)
	if err == nil || !adm.News {
		return adm, err
	}
	return g.Again(r.Context(), adm, err, r.Header.Get("Authorization"), func(v *live.View) (Admission, error) { return Decide(v, r, req) })
}

// AdmitRole admits a user of that role to one of the gateway's own paths.
func (g *Gate) AdmitRole(v *live.View, r *http.Request, role catalog.Role) (Admission, error) {
	adm, err := admitRole(v, r, role)
	if err == nil || !adm.News {
		return adm, err
	}
	return g.Again(r.Context(), adm, err, r.Header.Get("Authorization"), func(v *live.View) (Admission, error) { return admitRole(v, r, role) })
}

// Again asks Redis once more about a refusal that may be news, so that a module
// gets in that was created a moment ago; where Redis cannot be asked, the refusal
// is not proven. Where it was asked about the same credentials, in whatever form they
// came, within the last second, they are refused as they were, after a while: whoever
// tries again and again does not keep others waiting.
func (g *Gate) Again(ctx context.Context, refused Admission, cause error, credentials string, judge func(*live.View) (Admission, error)) (Admission, error) {
	renew := g.State.Renew
	asked := time.Now()
	if refused.Principal == nil {
		if g.unproven.lately(credentials, asked) {
			wait(ctx, refusedPause)
			return refused, cause
		}
		renew = g.State.RenewUnproven
	}
	fresh, err := renew(ctx, refused.View, func(v *live.View) bool {
		_, err := judge(v)
		return err == nil
	})
	if err != nil {
		return refused, err
	}
	adm, err := judge(fresh)
	if err != nil && adm.Principal == nil {
		g.unproven.note(credentials, asked)
	}
	return adm, err
}

// wait returns after that time, or when ctx ends.
func wait(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Decide is the decision itself. It allocates nothing where it says yes.
func Decide(v *live.View, r *http.Request, req Request) (Admission, error) {
	adm := Admission{View: v}
	var err error
	if adm.Principal, err = authenticate(v, r); err != nil {
		adm.News = !errors.Is(err, refusal.ErrNoCredentials)
		return adm, err
	}

	related := Relate(adm.Principal, req.Inside)
	if !Allow(related, req.Operation) {
		adm.News = related == Stranger && req.MayBeGranted
		return adm, refusal.ErrScope
	}
	if req.Root {
		return adm, nil
	}
	if !req.Valid {
		return adm, refusal.ErrNotFound
	}
	if req.Refused != nil {
		return adm, req.Refused
	}
	adm.Frozen = adm.Principal.Role == catalog.RoleModule && v.Snapshot.IsFrozen(req.Destination, req.Repo)
	if adm.Frozen && saves(req.Operation) {
		return adm, refusal.ErrFrozen
	}
	if adm.Mount = v.Mounts[req.Destination]; adm.Mount != nil {
		return adm, nil
	}
	if reason, broken := v.Snapshot.Broken[req.Destination]; broken {
		return adm, fmt.Errorf("%w: destination %s: %s", refusal.ErrEntry, req.Destination, reason)
	}
	adm.News = true
	return adm, refusal.ErrNotFound
}

// saves reports whether an operation of a module changes a repository. Locks do not: those
// of a module at a frozen one are its own.
func saves(op operation.Operation) bool {
	switch op {
	case operation.Create, operation.SaveConfig, operation.Save, operation.SaveKey, operation.AddKey, operation.Remove, operation.Put, operation.Change:
		return true
	}
	return false
}

// admitRole is the decision for what only users of a role may do.
func admitRole(v *live.View, r *http.Request, role catalog.Role) (Admission, error) {
	adm := Admission{View: v}
	var err error
	if adm.Principal, err = authenticate(v, r); err != nil {
		adm.News = !errors.Is(err, refusal.ErrNoCredentials)
		return adm, err
	}
	if adm.Principal.Role != role {
		return adm, refusal.ErrScope
	}
	return adm, nil
}

// authenticate returns who sent the request.
func authenticate(v *live.View, r *http.Request) (*catalog.Principal, error) {
	var buf [MaxCredentials]byte
	user, secret, ok := ParseBasic(r.Header.Get("Authorization"), buf[:])
	if !ok {
		return nil, refusal.ErrNoCredentials
	}
	if v == nil {
		return nil, refusal.ErrUnready
	}
	principal := v.Snapshot.Principals[string(user)]
	if !principal.Accepts(secret) {
		return nil, Unaccepted(principal)
	}
	return principal, nil
}

// Unaccepted tells, for the log and the metrics alone, why credentials are not
// accepted.
func Unaccepted(principal *catalog.Principal) error {
	if principal == nil {
		return refusal.ErrUnknownUser
	}
	return fmt.Errorf("%w of %s", refusal.ErrWrongPassword, principal.Name)
}
