package observe

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// prove records a request in the audit log, if it is to be audited.
func (o *Observer) prove(r *http.Request, w *Response, code int, err error) {
	if o.opts.Audit == nil {
		return
	}
	what := audited(r.Method, w.Entry.Operation, code, err)
	if what == "" && err == nil {
		what = w.Entry.Action
	}
	if what == "" {
		return
	}
	e := audit.Event{
		What: what, Who: w.Entry.User, From: r.RemoteAddr,
		Destination: w.Entry.Destination, Repository: w.Entry.Repo, Object: w.Entry.object(),
		Request: w.id.String(), Result: strconv.Itoa(code),
	}
	if w.Entry.Node != "" {
		e.Detail = "passed on to node " + w.Entry.Node
	}
	if what == audit.Refused {
		e.Detail = strings.TrimPrefix(e.Detail+"; "+r.Method+": "+err.Error(), "; ")
	}
	o.opts.Audit.Write(e)
}

// audited returns the name of a request in the audit log, "" if it is not audited:
// deletions, changes of keys and configs by nodes, and refusals of known users.
func audited(method string, op operation.Operation, code int, err error) string {
	succeeded := err == nil && code < http.StatusBadRequest
	switch {
	case errors.Is(err, refusal.ErrScope), errors.Is(err, refusal.ErrForbidden), errors.Is(err, refusal.ErrForm), errors.Is(err, refusal.ErrRate):
		return audit.Refused
	case !succeeded:
		return ""
	case op == operation.Remove, op == operation.RemoveLock, op == operation.Change && method == http.MethodDelete:
		return "delete"
	case op == operation.SaveKey, op == operation.SaveConfig:
		return "save"
	case op == operation.Change && (method == "MOVE" || method == "COPY"):
		return strings.ToLower(method)
	}
	return ""
}
