package gateway

import (
	"io/fs"
	"net/http"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
)

// probeName is the path below a destination that NethServer 8's health checks
// ask for; they expect 404.
const probeName = "_probe_rest_404"

// isOwn reports whether a request may be for the gateway itself: no destination is
// called "-" or "metrics".
func isOwn(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/-/") || r.URL.Path == MetricsPath
}

// request is what the URL, the method and the Accept header say. Nothing else
// in the gateway reads r.URL.
type request struct {
	destination string
	// inside is the path within the destination, as it stood on the wire.
	inside string
	// restic is false for what NethServer 8 serves as WebDAV; see isRestic.
	restic bool
	// operation is what the request asks for: whoever needs to know asks here.
	operation operation.Operation
	// probe is true for the health check's path.
	probe bool

	// known is false where the path is none of the restic protocol's; the fields
	// below are then empty.
	known  bool
	repo   string
	typ    rest.Type
	name   string
	create bool
}

// parseRequest reads a request without normalising anything: a path that holds
// an encoded byte, an empty segment or a dot segment belongs to nobody.
func parseRequest(r *http.Request) request {
	var req request
	req.create = r.Method == http.MethodPost && r.URL.RawQuery != "" && r.URL.Query().Get("create") == "true"
	accept := r.Header.Get("Accept")
	req.restic = req.create || strings.Contains(accept, rest.MediaTypeV2)

	path, rooted := strings.CutPrefix(r.URL.Path, "/")
	if !rooted || r.URL.RawPath != "" || !fs.ValidPath(strings.TrimSuffix(path, "/")) || strings.IndexByte(path, 0) >= 0 {
		return req
	}
	var below bool
	req.destination, req.inside, below = strings.Cut(path, "/")
	if !below {
		return req
	}
	req.probe = req.inside == probeName && (r.Method == http.MethodGet || r.Method == http.MethodHead)
	req.repo, req.typ, req.name, req.known = rest.ParseObject(req.inside)
	if req.create && req.typ != rest.Root || req.typ == rest.Root && req.repo == "" {
		req.known = false
	}
	req.restic = req.restic || req.isRestic(r.Method, accept)
	req.operation = req.operationOf(r.Method)
	return req
}

// isRestic reports whether path and method alone, or with an Accept header that
// names version 1, make a request the restic protocol's. An object is restic's
// whoever asks: rustic, for one, sends Accept with lists only. A directory could
// as well be WebDAV's, and needs the type of a list.
func (req request) isRestic(method, accept string) bool {
	if !req.known || req.typ == rest.Root {
		return false
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete:
		isObject := req.typ == rest.Config || req.name != ""
		return isObject || strings.Contains(accept, rest.MediaTypeV1)
	}
	return false
}

// operationOf is what a method asks of what the path names.
func (req request) operationOf(method string) operation.Operation {
	if !req.known {
		return operation.Other
	}
	switch method {
	case http.MethodHead:
		return operation.Head
	case http.MethodGet:
		if req.name == "" && req.typ != rest.Config {
			return operation.List
		}
		return operation.Read
	case http.MethodPost:
		switch req.typ {
		case rest.Root:
			if req.create {
				return operation.Create
			}
		case rest.Config:
			return operation.SaveConfig
		case rest.Locks:
			return operation.SaveLock
		default:
			return operation.Save
		}
	case http.MethodDelete:
		if req.typ == rest.Locks && req.name != "" {
			return operation.RemoveLock
		}
		return operation.Remove
	}
	return operation.Other
}
