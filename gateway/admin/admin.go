package admin

import (
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// A Route is a path that is asked with POST.
type Route struct {
	Path string
	// Action is what the audit log calls a request that succeeds, "" where it holds none.
	Action string
	// Host is true for what only the administrative socket of the gateway's own host
	// takes; the others are for nodes.
	Host bool
	// Serve answers whoever was admitted in that view, which is nil for the socket where
	// Redis has not been read.
	Serve func(w *observe.Response, r *http.Request, v *live.View) error
}

// Handlers answer administrators' commands. Make them with New.
type Handlers struct {
	state *live.State
	opts  Options
}

// Options are what handlers need beside the state.
type Options struct {
	// Redis is where freezes are written, as the user of this node.
	Redis catalog.Redis
	Load  catalog.LoadOptions
	// Audit, where set, says who did what.
	Audit *audit.Log
	// LocksRemoved is told that all locks of a repository were removed.
	LocksRemoved func(destination, repo string)
}

// New returns the handlers for that state.
func New(state *live.State, opts Options) *Handlers {
	return &Handlers{state: state, opts: opts}
}

// Routes are all that the handlers answer.
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
