package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"regexp"

	"github.com/go-chi/chi/v5"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/admin"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/lease"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// newKeeper returns the keeper of leases, nil if the node's ID is unknown.
func newKeeper(opts *Options, latest func() *live.View) (*lease.Keeper, error) {
	node := opts.node()
	if node == "" {
		return nil, nil //nolint:nilnil // without a node there are no keys to write, and no leases
	}
	rdb, err := opts.Redis.Open()
	if err != nil {
		return nil, err
	}
	return lease.New(node, rdb, func() []string {
		var nodes []string
		v := latest()
		if v == nil {
			return nil
		}
		for _, p := range v.Snapshot.Principals {
			if p.Role == catalog.RoleNode {
				nodes = append(nodes, p.ID)
			}
		}
		return nodes
	}), nil
}

// leaseRoutes adds the paths of leases. They are open to every address that the gateway
// serves, and to every user that may save to the repository.
func (g *Gateway) leaseRoutes(mux chi.Router) {
	mux.Post(adminapi.LeasePath, g.leased(g.grantLease))
	mux.Put(adminapi.LeasePath, g.leased(g.renewLease))
	mux.Delete(adminapi.LeasePath, g.leased(g.releaseLease))
}

// leased returns the handler of a request about a lease: it admits the caller and calls h.
func (g *Gateway) leased(h func(ctx context.Context, holder string, repo lease.Repository, req *adminapi.LeaseRequest) (adminapi.LeaseReply, error)) http.HandlerFunc {
	return g.observer.Observe(func(w *observe.Response, r *http.Request) error {
		w.Entry.Operation, w.Entry.Path = operation.Admin, adminapi.LeasePath
		v := g.state.Current()
		if !g.gate.Allows(v, r.RemoteAddr) {
			return refusal.ErrAddress
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxAdminBody)
		var asked adminapi.LeaseRequest
		if err := admin.ReadJSON(r, &asked); err != nil {
			return err
		}
		req := parseLeased(r, asked.Repository)
		adm, err := g.gate.Admit(v, r, req.access())
		w.Entry.User = adm.User()
		if err != nil {
			return err
		}
		w.Entry.Destination, w.Entry.Repo = req.destination, req.repo
		if g.leases == nil {
			return fmt.Errorf("leases without NODE_ID: %w", errors.ErrUnsupported)
		}
		reply, err := h(r.Context(), adm.User(), lease.Repository{Destination: req.destination, Path: req.repo}, &asked)
		if err != nil {
			return err
		}
		return admin.WriteJSON(w, &reply)
	}).ServeHTTP
}

// purposePattern matches valid purposes of a lease.
var purposePattern = regexp.MustCompile(`^[a-z][a-z -]{0,63}$`)

func (g *Gateway) grantLease(ctx context.Context, holder string, repo lease.Repository, req *adminapi.LeaseRequest) (adminapi.LeaseReply, error) {
	if !purposePattern.MatchString(req.Purpose) {
		return adminapi.LeaseReply{}, fmt.Errorf("a lease for %.64q: %w", req.Purpose, fs.ErrInvalid)
	}
	granted, err := g.leases.Grant(ctx, repo, holder, req.Purpose, req.Lockers)
	if held, ok := errors.AsType[*lease.HeldError](err); ok {
		g.counts.Lease("held")
		return adminapi.LeaseReply{Held: &adminapi.HeldLease{
			Holder: held.Record.Holder, Purpose: held.Record.Purpose, Since: held.Record.Since, Seconds: held.Left.Seconds(),
		}}, nil
	}
	return g.leaseReply("granted", granted, err)
}

func (g *Gateway) renewLease(ctx context.Context, holder string, repo lease.Repository, req *adminapi.LeaseRequest) (adminapi.LeaseReply, error) {
	renewed, err := g.leases.Renew(ctx, repo, holder, req.Token, req.Lockers)
	return g.leaseReply("renewed", renewed, err)
}

func (g *Gateway) releaseLease(ctx context.Context, holder string, repo lease.Repository, req *adminapi.LeaseRequest) (adminapi.LeaseReply, error) {
	err := g.leases.Release(ctx, repo, holder, req.Token, req.Clean)
	return g.leaseReply("released", lease.Lease{}, err)
}

// leaseReply counts a result and converts it to a reply. If Redis does not answer, the
// client retries, or continues without a lease.
func (g *Gateway) leaseReply(what string, l lease.Lease, err error) (adminapi.LeaseReply, error) {
	switch {
	case errors.Is(err, lease.ErrLost):
		g.counts.Lease("lost")
		return adminapi.LeaseReply{Lost: true}, nil
	case err != nil:
		g.counts.Lease("failed")
		return adminapi.LeaseReply{}, fmt.Errorf("%w: leases are kept in Redis: %w", refusal.ErrUnready, err)
	}
	g.counts.Lease(what)
	return adminapi.LeaseReply{Token: l.Token, Counter: l.Counter, Dead: l.Dead, Seconds: lease.TTL.Seconds()}, nil
}

// demandLease refuses deletions by a node that does not hold the lease, if the destination
// demands one. A node's own locks, which every restic command creates and deletes, need no
// lease.
func (g *Gateway) demandLease(ctx context.Context, adm *access.Admission, req *request) error {
	deletes := req.operation == operation.Remove || req.operation == operation.RemoveLock
	if !deletes || adm.Principal.Role != catalog.RoleNode || adm.View.Snapshot.Limits[req.destination].Leases == 0 || g.leases == nil {
		return nil
	}
	if req.operation == operation.RemoveLock && g.ownLocks.Made(adm.User(), req.destination, req.repo, req.name) {
		return nil
	}
	held, err := g.leases.Holds(ctx, lease.Repository{Destination: req.destination, Path: req.repo}, adm.User())
	switch {
	case err != nil:
		return fmt.Errorf("%w: whether user %s holds a lease: %w", storage.ErrUnavailable, adm.User(), err)
	case !held:
		g.counts.Lease("missing")
		return refusal.ErrLease
	}
	return nil
}

// noteLock remembers a lock that a node saved.
func (g *Gateway) noteLock(adm *access.Admission, req *request, err error) {
	if err == nil && req.operation == operation.SaveLock && adm.Principal.Role == catalog.RoleNode {
		g.ownLocks.Note(adm.User(), req.destination, req.repo, req.name)
	}
}
