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

// Gate admits requests.
type Gate struct {
	State *live.State
	// AllowFrom are networks whose callers are accepted in addition to those of this host
	// and of cluster/network.
	AllowFrom []netip.Prefix

	unproven unproven
}

// Request is what a request asks for, as far as permissions depend on it.
type Request struct {
	Operation operation.Operation
	// Root is true for the list of destinations; the other fields are empty then.
	Root bool
	// Destination is its ID, and Inside the path below it, as received.
	Destination, Inside string
	// Valid is false if the path cannot name anything in a destination.
	Valid bool
	// MayBeGranted is true for the path of a repository. A refusal may then be outdated:
	// Redis may have a new grant.
	MayBeGranted bool
	// Repo is the repository; it is empty outside of repositories and for their past
	// states. Refused is an error for requests that are refused to everybody with the
	// permission to make them.
	Repo    string
	Refused error
}

// Admission is the decision about a request, made by one view.
type Admission struct {
	View      *live.View
	Principal *catalog.Principal
	Mount     *live.Mount // nil for the gateway's own paths and the list of destinations
	// News is true if the refusal may be outdated, because the view lacks something that
	// Redis may have by now: a user, a password, a module's UUID, a grant, a destination.
	News bool
	// Frozen is true for a module whose repository is frozen.
	Frozen bool
}

// User returns the name of the admitted or refused user, "" if it is not known.
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

// Again asks Redis about a refusal that may be outdated, so that a new module is admitted
// at once; if Redis does not answer, the refusal is not proven. Credentials that Redis
// refused within the last second, in whatever form they were sent, are refused again after
// a pause without asking Redis, so that a client in a loop does not delay others.
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

// Decide decides by a single view. It does not allocate when it admits.
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

// saves reports whether an operation changes a repository. A module may keep locks of its
// own at a frozen repository.
func saves(op operation.Operation) bool {
	switch op {
	case operation.Create, operation.SaveConfig, operation.Save, operation.SaveKey, operation.AddKey, operation.Remove, operation.Put, operation.Change:
		return true
	}
	return false
}

// admitRole decides for paths that are open to one role only.
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

// authenticate returns the sender of the request.
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

// Unaccepted says why credentials are not accepted. It is only for the log and the metrics.
func Unaccepted(principal *catalog.Principal) error {
	if principal == nil {
		return refusal.ErrUnknownUser
	}
	return fmt.Errorf("%w of %s", refusal.ErrWrongPassword, principal.Name)
}
