package rest

import (
	"fmt"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/internal/keyedmutex"
)

// Handler serves the protocol for all repositories of a process. Its state, who
// is changing which object and which locks were written or deleted a moment
// ago, is keyed by destination and repository and so outlives reloads: a process
// needs exactly one. It is safe for concurrent use.
type Handler struct {
	writers keyedmutex.Mutex[objectKey]
	recent  recentLocks
}

// NewHandler returns a Handler without any state.
func NewHandler() *Handler { return &Handler{} }

// Serve answers one authorised request. Of r it reads the method, the headers,
// the body and the context; what the URL says is in t.
//
// An error before the first byte of the response is for the caller to turn into
// a status; Content-Range and Allow are then set in w's header where the status
// wants them. After an error behind the first byte the caller must break the
// connection off, by a panic with [http.ErrAbortHandler], so that no client takes
// the response for a complete one.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, t Target) error {
	switch {
	case t.Type == Root:
		return h.serveRepository(w, r, &t)
	case t.Type == Config || t.Name != "":
		return h.serveObject(w, r, &t)
	default:
		return h.serveType(w, r, &t)
	}
}

func (h *Handler) serveRepository(w http.ResponseWriter, r *http.Request, t *Target) error {
	switch r.Method {
	case http.MethodPost:
		return h.create(w, r, t)
	case http.MethodDelete:
		return fmt.Errorf("a whole repository is not deleted over this protocol: %w", refusal.ErrForbidden)
	default:
		return refuseMethod(w, r, "POST")
	}
}

func (h *Handler) serveType(w http.ResponseWriter, r *http.Request, t *Target) error {
	if r.Method != http.MethodGet {
		return refuseMethod(w, r, "GET")
	}
	return h.list(w, r, t)
}

func (h *Handler) serveObject(w http.ResponseWriter, r *http.Request, t *Target) error {
	switch r.Method {
	case http.MethodHead:
		return h.head(w, r, t)
	case http.MethodGet:
		return h.get(w, r, t)
	case http.MethodPost:
		return h.save(w, r, t, http.StatusOK)
	case http.MethodPut:
		// Not restic's, but that of clients of WebDAV which copy a repository.
		return h.save(w, r, t, http.StatusCreated)
	case http.MethodDelete:
		return h.remove(w, r, t)
	default:
		return refuseMethod(w, r, "GET, HEAD, POST, DELETE")
	}
}

// refuseMethod returns refusal.ErrMethod and leaves in the header what is allowed.
func refuseMethod(w http.ResponseWriter, r *http.Request, allowed string) error {
	w.Header().Set("Allow", allowed)
	return fmt.Errorf("%w: %.16q", refusal.ErrMethod, r.Method)
}
