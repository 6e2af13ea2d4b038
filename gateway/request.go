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

// isOwn reports whether a request may be for the gateway's own paths: no destination is
// called "-" or "metrics".
func isOwn(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/-/") || r.URL.Path == MetricsPath
}

// request is the parsed URL, method and Accept header. Nothing else in the gateway reads
// r.URL.
type request struct {
	destination string
	// inside is the path within the destination, as received; empty if it was encoded in an
	// unusual way, which gives no permission.
	inside string
	// restic is false for requests of WebDAV; see isRestic.
	restic bool
	// operation is what the request asks for. All other code uses it instead of the method.
	operation operation.Operation
	// probe is true for the health check's path.
	probe bool

	// root is true for the list of destinations.
	root bool
	// valid is false if the path cannot name anything in a destination.
	valid bool
	// path is the decoded path of the URL; stored is what it names in the destination's
	// store, "." for all of it, and collection whether it ends with a slash.
	path, stored string
	collection   bool

	// known is false if the path is not part of the restic protocol; the fields below are
	// then empty.
	known  bool
	repo   string
	typ    object.Type
	name   string
	create bool

	// view is set for a past state of a repository. Only paths of restic with a valid time
	// are accepted there.
	view view
}

// view is the time of a repository that a path selects.
type view struct {
	asked, valid bool
	at           time.Time
	repo         string // without the time
}

// parseRequest parses a request without normalizing it: a path with an empty segment or a
// dot segment belongs to nobody.
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

// readView parses the time in a repository's path. Readers of the repository may read its
// past states over restic's protocol: the time is removed before permissions are checked.
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

// parseHealth parses the request for the health of a repository's destination, which
// readers of the repository's config may make.
func parseHealth(r *http.Request) (req request, write bool) {
	query := r.URL.Query()
	config := &http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{Path: "/" + query.Get("repository") + "/config"},
		Header: http.Header{"Accept": {rest.MediaTypeV2}},
	}
	return parseRequest(config), query.Get("write") == "true"
}

// parseLeased parses the request for a lease of a repository, which everybody who may save
// to it may make.
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
	wire        string // after the destination, including a trailing slash
	inside      string // the same as a name in a store
	collection  bool
}

// splitPath splits a URL's path, unless an element is empty, a dot segment or not UTF-8, or
// contains a slash or a NUL. Clients differ in which bytes they encode, and in the case of
// the digits, so only the decoded result is compared.
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

// readStored parses the name that an object has on the storage, which clients of WebDAV
// use. Objects stored or deleted that way are subject to restic's rules too. Whatever form
// of the name a client uses, it gets the same object.
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

// entry returns the fields for the access log and the metrics.
func (req *request) entry() observe.Entry {
	e := observe.Entry{Destination: req.destination, Repo: req.repo, Type: req.typ, Name: req.name, Operation: req.operation}
	if !req.restic {
		e.Path = req.stored
	}
	return e
}

// access returns the fields that permissions depend on.
func (req *request) access() access.Request {
	return access.Request{
		Operation: req.operation, Root: req.root, Destination: req.destination, Inside: req.inside,
		Valid: req.valid && (!req.restic || req.known), MayBeGranted: req.mayBeGranted(),
		Repo: req.repo, Refused: req.refusedAsPast(),
	}
}

// mayBeGranted reports whether the path is that of a repository, so that a refusal may be
// outdated.
func (req *request) mayBeGranted() bool {
	if req.restic {
		return req.known
	}
	return req.operation == operation.Browse && strings.Contains(req.inside, "/")
}

// parseTarget parses the header Destination of MOVE and COPY like a path, and returns what
// it names in the request's own destination.
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

// isRestic reports whether path and method alone, or with an Accept header for version 1,
// make a request one of the restic protocol. Objects are restic's, whoever asks: rustic,
// for example, sends Accept only with lists. A directory could also be WebDAV's, so it
// needs the type of a list.
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

// davOperation returns the operation of a WebDAV method, except on an object.
func davOperation(method string) operation.Operation {
	switch method {
	case http.MethodOptions, http.MethodGet, http.MethodHead, "PROPFIND":
		return operation.Browse
	}
	return operation.Change
}

// operationOf returns the operation of a method on what the path names.
func (req request) operationOf(method string) operation.Operation {
	switch {
	case !req.restic:
		return davOperation(method)
	case !req.known:
		return operation.Other
	}
	return rest.OperationOf(method, req.typ, req.name, req.create)
}
