package admin

import (
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// A Route is a path for POST requests.
type Route struct {
	Path string
	// Action is the name of a successful request in the audit log, "" to leave it out.
	Action string
	// Host limits the route to the administrative socket; other routes are for nodes.
	Host bool
	// Serve answers an admitted request. The view is the one in which the caller was
	// admitted; on the socket it is nil until Redis has been read.
	Serve func(w *observe.Response, r *http.Request, v *live.View) error
}

// Handlers answers administrators' commands. Make one with New.
type Handlers struct {
	state *live.State
	opts  Options
}

// Options are the dependencies of handlers, except the state.
type Options struct {
	// Redis is where freezes are written, as the user of this node.
	Redis catalog.Redis
	Load  catalog.LoadOptions
	// Audit, where set, is the audit log, from which history reads.
	Audit *audit.Log
	// LocksRemoved is called after all locks of a repository were removed.
	LocksRemoved func(destination, repo string)
}

// New returns the handlers for a state.
func New(state *live.State, opts Options) *Handlers {
	return &Handlers{state: state, opts: opts}
}

// Routes returns all routes.
func (h *Handlers) Routes() []Route {
	return []Route{
		{Path: adminapi.CheckPath, Serve: h.check},
		{Path: adminapi.ObscurePath, Serve: h.obscure},
		{Path: adminapi.SpacePath, Serve: h.space},
		{Path: adminapi.TrashListPath, Serve: h.trashList},
		{Path: adminapi.TrashRestorePath, Action: "restore", Serve: h.trashRestore},
		{Path: adminapi.TrashEmptyPath, Action: "empty", Host: true, Serve: h.trashEmpty},
		{Path: adminapi.RollbackPath, Action: "rollback", Serve: h.rollback},
		{Path: adminapi.FreezePath, Action: "freeze", Serve: h.freeze},
		{Path: adminapi.ThawPath, Action: "thaw", Serve: h.thaw},
		{Path: adminapi.HistoryPath, Serve: h.history},
	}
}
