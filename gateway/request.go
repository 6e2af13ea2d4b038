package gateway

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/past"
	"github.com/rclone-gateway/rclone-gateway/gateway/peer"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
)

// isOwn reports whether a request may be for the gateway itself: no destination is
// called "-" or "metrics".
func isOwn(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/-/") || r.URL.Path == MetricsPath
}

// request is what the URL, the method and the Accept header say. Nothing else
// in the gateway reads r.URL.
type request struct {
	destination string
	// inside is the path within the destination, as it stood on the wire; empty where
	// it was encoded in an unusual way, which gives nobody a right.
	inside string
	// restic is false for what is WebDAV's; see isRestic.
	restic bool
	// operation is what the request asks for: whoever needs to know asks here.
	operation operation.Operation
	// probe is true for the health check's path.
	probe bool

	// root is true for the list of destinations.
	root bool
	// valid is false where the path can name nothing in a destination.
	valid bool
	// path is the URL's, decoded; stored is what it names in the destination's store,
	// "." for all of it, and collection whether it ends in a slash.
	path, stored string
	collection   bool

	// known is false where the path is not in the restic protocol; the fields
	// below are then empty.
	known  bool
	repo   string
	typ    object.Type
	name   string
	create bool

	// view is set for a repository as it was at a time: whatever is not restic's there,
	// or has no valid time, is nobody's.
	view view
}

// view is which time of a repository a path means.
type view struct {
	asked, valid bool
	at           time.Time
	repo         string // the repository as it is now
}

// parseRequest reads a request without normalising anything: a path that holds
// an empty segment or a dot segment belongs to nobody.
func parseRequest(r *http.Request) request {
	var req request
	req.create = r.Method == http.MethodPost && r.URL.RawQuery != "" && r.URL.Query().Get("create") == "true"
	accept := r.Header.Get("Accept")
	req.restic = req.create || strings.Contains(accept, rest.MediaTypeV2)
	if r.URL.Path == "/" && r.URL.RawPath == "" && !req.restic {
		if davOperation(r.Method) == operation.Browse {
			req.operation = operation.Roots
		}
		req.root = true
		return req
	}

	path, ok := splitPath(r.URL)
	if !ok {
		return req
	}
	req.destination, req.path, req.valid, req.collection = path.destination, r.URL.Path, true, path.collection
	req.stored = path.inside
	if r.URL.RawPath == "" {
		req.inside = path.wire
		req.probe = req.inside == peer.ProbeName && (r.Method == http.MethodGet || r.Method == http.MethodHead)
	}
	req.repo, req.typ, req.name, req.known = object.Parse(path.wire)
	if req.create && req.typ != object.Root || req.typ == object.Root && req.repo == "" {
		req.known = false
	}
	req.restic = req.restic || req.isRestic(r.Method, accept)
	req.readStored(r.Method)
	req.readView(path.wire)
	req.operation = req.operationOf(r.Method)
	if req.probe {
		req.operation = operation.Probe
	}
	return req
}

// readView reads which time of its repository a path means. Who may read the repository
// may read it as it was, over restic's protocol: the time is taken out of what permissions
// go by.
func (req *request) readView(wire string) {
	repo, below, at, asked, valid := past.Split(wire)
	if !asked {
		return
	}
	req.view = view{asked: true, valid: valid, at: at, repo: repo}
	if req.inside != "" && req.restic {
		req.inside = repo + below
	}
}

// parseHealth reads the question how the destination of a repository is: whoever
// may read the repository's config may ask it.
func parseHealth(r *http.Request) (req request, write bool) {
	query := r.URL.Query()
	config := &http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{Path: "/" + query.Get("repository") + "/config"},
		Header: http.Header{"Accept": {rest.MediaTypeV2}},
	}
	return parseRequest(config), query.Get("write") == "true"
}

// parseLeased reads the question for a lease of a repository: whoever may save to it may
// hold one.
func parseLeased(r *http.Request, repository string) request {
	snapshot := &http.Request{
		Method: http.MethodPost,
		URL:    &url.URL{Path: "/" + repository + "/snapshots/" + strings.Repeat("0", 64)},
		Header: r.Header,
	}
	return parseRequest(snapshot)
}

// urlPath is the path of a URL that names something in a destination.
type urlPath struct {
	destination string
	wire        string // what is behind the destination, its last slash included
	inside      string // the same as a name in a store
	collection  bool
}

// splitPath takes a URL's path apart, unless an element of it is empty, a dot
// segment, no UTF-8, or holds a slash or a NUL. Clients differ in which bytes they
// encode, and in the case of the digits: all that is compared by byte is the result.
func splitPath(u *url.URL) (urlPath, bool) {
	path, rooted := strings.CutPrefix(u.Path, "/")
	if !rooted || !fs.ValidPath(strings.TrimSuffix(path, "/")) || strings.IndexByte(path, 0) >= 0 {
		return urlPath{}, false
	}
	if u.RawPath != "" && strings.Count(u.RawPath, "/") != strings.Count(u.Path, "/") {
		return urlPath{}, false // an encoded slash
	}
	var p urlPath
	p.destination, p.wire, _ = strings.Cut(path, "/")
	p.collection = strings.HasSuffix(path, "/")
	if p.inside = strings.TrimSuffix(p.wire, "/"); p.inside == "" {
		p.inside = "."
	}
	return p, p.destination != "."
}

// readStored reads the name that an object has on the storage, by which clients of
// WebDAV know it: what they store or delete there is restic's as well. By whatever
// name they ask for an object, they get what lies there.
func (req *request) readStored(method string) {
	switch {
	case req.known && (req.typ == object.Config || req.name != ""):
		if req.restic = req.restic || method == http.MethodPut; !req.restic {
			req.stored = object.StoredName(req.repo, req.typ, req.name)
		}
	case (method == http.MethodPut || method == http.MethodDelete) && !req.collection:
		repo, typ, name, ok := object.ParseStored(req.stored)
		if ok {
			req.repo, req.typ, req.name, req.known, req.restic = repo, typ, name, true, true
		}
	}
}

// entry is what the access log and the metrics say of the request.
func (req *request) entry() observe.Entry {
	e := observe.Entry{Destination: req.destination, Repo: req.repo, Type: req.typ, Name: req.name, Operation: req.operation}
	if !req.restic {
		e.Path = req.stored
	}
	return e
}

// access is what matters to whether the request may have what it wants.
func (req *request) access() access.Request {
	return access.Request{
		Operation: req.operation, Root: req.root, Destination: req.destination, Inside: req.inside,
		Valid: req.valid && (!req.restic || req.known), MayBeGranted: req.mayBeGranted(),
		Repo: req.repo, Refused: req.refusedAsPast(),
	}
}

// mayBeGranted reports whether the path is that of some repository, so that a
// refusal may rest on what Redis did not say yet.
func (req *request) mayBeGranted() bool {
	if req.restic {
		return req.known
	}
	return req.operation == operation.Browse && strings.Contains(req.inside, "/")
}

// parseTarget reads the header Destination of MOVE and COPY, as a path is read, and
// returns what it names in the request's own destination.
func (req *request) parseTarget(r *http.Request) (name string, err error) {
	header := r.Header.Get("Destination")
	u, err := url.Parse(header)
	if err != nil || header == "" || u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("header Destination %.128q: %w", header, fs.ErrInvalid)
	}
	if u.Host != "" && !strings.EqualFold(u.Host, r.Host) {
		return "", fmt.Errorf("%w: %.128q", refusal.ErrElsewhere, header)
	}
	path, ok := splitPath(u)
	if !ok {
		return "", fmt.Errorf("header Destination %.128q: %w", header, fs.ErrInvalid)
	}
	if path.destination != req.destination {
		return "", fmt.Errorf("%w: %.128q", refusal.ErrElsewhere, header)
	}
	if repo, typ, name, ok := object.Parse(path.wire); ok && (typ == object.Config || name != "") {
		return object.StoredName(repo, typ, name), nil
	}
	return path.inside, nil
}

// isRestic reports whether path and method alone, or with an Accept header that
// names version 1, make a request the restic protocol's. An object is restic's
// whoever asks: rustic, for one, sends Accept with lists only. A directory could
// as well be WebDAV's, and needs the type of a list.
func (req request) isRestic(method, accept string) bool {
	if !req.known || req.typ == object.Root {
		return false
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete:
		isObject := req.typ == object.Config || req.name != ""
		return isObject || strings.Contains(accept, rest.MediaTypeV1)
	}
	return false
}

// davOperation is what a method of WebDAV asks for, other than from an object.
func davOperation(method string) operation.Operation {
	switch method {
	case http.MethodOptions, http.MethodGet, http.MethodHead, "PROPFIND":
		return operation.Browse
	}
	return operation.Change
}

// operationOf is what a method asks of what the path names.
func (req request) operationOf(method string) operation.Operation {
	switch {
	case !req.restic:
		return davOperation(method)
	case !req.known:
		return operation.Other
	}
	return rest.OperationOf(method, req.typ, req.name, req.create)
}
