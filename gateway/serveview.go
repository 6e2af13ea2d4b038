package gateway

import (
	"fmt"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/past"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// refusedAsPast returns why a request for a past state of a repository is refused to
// everybody.
func (req *request) refusedAsPast() error {
	switch {
	case !req.view.asked, !req.restic && !req.view.valid:
		return nil
	case !req.view.valid:
		return refusal.ErrTime
	case !req.restic:
		return fmt.Errorf("%w: WebDAV does not show repositories as they were", refusal.ErrNotFound)
	}
	switch req.operation {
	case operation.Head, operation.Read, operation.List, operation.SaveLock, operation.RemoveLock:
		return nil
	}
	return refusal.ErrPast
}

// servePast answers from a past state of a repository.
func (g *Gateway) servePast(w http.ResponseWriter, r *http.Request, req request, adm access.Admission) error {
	kept := adm.Mount.Trash()
	if kept == nil {
		return fmt.Errorf("%w: nothing is kept here", refusal.ErrNotFound)
	}
	store := adm.Mount.Guard.Around(past.Open(kept, req.view.repo, req.view.at))
	return g.serveOwnLocks(w, r, req, adm, store)
}

// serveOwnLocks answers from a store on which the caller has its own locks.
func (g *Gateway) serveOwnLocks(w http.ResponseWriter, r *http.Request, req request, adm access.Admission, store storage.Store) error {
	user := adm.Principal.Name
	return g.rest.Serve(w, r, rest.Target{
		Store: past.Over(store, req.repo, g.locks.Of(req.destination, req.repo, user)),
		// What the protocol remembers about locks is separate for each caller too.
		Destination: req.destination + " for " + user,
		Repo:        req.repo,
		Type:        req.typ,
		Name:        req.name,
		Operation:   req.operation,
	})
}
