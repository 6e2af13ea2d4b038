package rest

import (
	"fmt"
	"io/fs"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/internal/keyedmutex"
)

// Handler serves the protocol for all repositories of a process. Its state, who
// is changing which object, which locks were written or deleted a moment ago, how
// many there are and which configs were deleted, is keyed by destination and repository and so outlives reloads: a process
// needs exactly one. It is safe for concurrent use.
type Handler struct {
	writers keyedmutex.Mutex[objectKey]
	recent  recentLocks
	configs removedConfigs
	locks   lockCounts
}

// NewHandler returns a Handler without any state.
func NewHandler() *Handler { return &Handler{} }

// LocksRemoved is told that all locks of a repository were removed past the Handler: none of
// those that it remembers is listed from now on, nor counts.
func (h *Handler) LocksRemoved(destination, repo string) {
	key := repoKey{destination, repo}
	h.recent.removedAll(key)
	h.locks.forget(key)
}

// Serve answers one authorised request. Of r it reads the headers, the body and
// the context; what it asks for is in t.
//
// An error before the first byte of the response is for the caller to turn into
// a status; Content-Range and Allow are then set in w's header where the status
// wants them. After an error behind the first byte the caller must break the
// connection off, by a panic with [http.ErrAbortHandler], so that no client takes
// the response for a complete one.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, t Target) error {
	switch {
	case t.Type == object.Root:
		return h.serveRepository(w, r, &t)
	case t.Type == object.Config || t.Name != "":
		return h.serveObject(w, r, &t)
	case t.Operation == operation.List:
		return h.list(w, r, &t)
	}
	return refuseMethod(w, r, "GET")
}

func (h *Handler) serveRepository(w http.ResponseWriter, r *http.Request, t *Target) error {
	switch {
	case t.Operation == operation.Create:
		return h.create(w, r, t)
	case t.Operation == operation.Remove:
		return fmt.Errorf("a whole repository is not deleted over this protocol: %w", refusal.ErrForbidden)
	case r.Method == http.MethodPost:
		return fmt.Errorf("POST of a repository without create=true: %w", fs.ErrInvalid)
	}
	return refuseMethod(w, r, "POST")
}

func (h *Handler) serveObject(w http.ResponseWriter, r *http.Request, t *Target) error {
	switch t.Operation {
	case operation.Head:
		return h.head(w, r, t)
	case operation.Read:
		return h.get(w, r, t)
	case operation.SaveConfig, operation.Save, operation.SaveKey, operation.SaveLock:
		return h.save(w, r, t, http.StatusOK)
	case operation.Put:
		// Not restic's, but that of clients of WebDAV which copy a repository.
		return h.save(w, r, t, http.StatusCreated)
	case operation.RemoveLock, operation.Remove:
		if t.Type == object.Config {
			h.configs.removing(t.repoKey())
		}
		return h.remove(w, r, t)
	}
	return refuseMethod(w, r, "GET, HEAD, POST, DELETE")
}

// refuseMethod returns refusal.ErrMethod and leaves in the header what is allowed.
func refuseMethod(w http.ResponseWriter, r *http.Request, allowed string) error {
	w.Header().Set("Allow", allowed)
	return fmt.Errorf("%w: %.16q", refusal.ErrMethod, r.Method)
}
