package dav

import (
	"fmt"
	"io/fs"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// Place says what clients may do with a name.
type Place uint8

const (
	// Free is a name without restrictions.
	Free Place = iota
	// Frame is a directory of the caller's layout: clients may create and list it, but not
	// move, copy or remove it.
	Frame
	// Fixed is a file of the caller's layout, or a name outside of the layout: clients may
	// only read it.
	Fixed
)

// Target is the subject of an authorized request.
type Target struct {
	// Store contains the resource.
	Store Store
	// Destination identifies the store across reloads.
	Destination string
	// Path is the decoded path of the URL, as clients see it: hrefs begin with it.
	Path string
	// Name is the resource's name in the store; "." is its root.
	Name string
	// Collection is true if the URL ended with a slash.
	Collection bool
	// To is the destination of MOVE and COPY, a name in the same store.
	To string
	// PlaceOf returns the place of a name. Nil means that all are [Free].
	PlaceOf func(name string) Place
	// ReadOnly refuses all changes.
	ReadOnly bool
}

func (t *Target) place(name string) Place {
	if t.PlaceOf == nil {
		return Free
	}
	return t.PlaceOf(name)
}

// Handler serves the protocol for all destinations of a process. Its only state, the names
// being changed, is keyed by destination and so survives reloads: a process needs exactly
// one Handler. It is safe for concurrent use.
type Handler struct {
	writers writers
}

// NewHandler returns a Handler.
func NewHandler() *Handler { return &Handler{} }

// Methods lists the methods of [Handler.Serve] for the header Allow.
const (
	Methods         = "OPTIONS, GET, HEAD, PROPFIND, PUT, DELETE, MKCOL, COPY, MOVE"
	readOnlyMethods = "OPTIONS, GET, HEAD, PROPFIND"
	// collectionMethods are the methods for an existing collection.
	collectionMethods = "OPTIONS, GET, HEAD, PROPFIND, DELETE, COPY, MOVE"
)

// Serve answers one authorized request. It reads the method, the headers, the body and the
// context of r; t has what the URL says.
//
// The caller turns an error before the first byte of the response into a status; if that
// needs Content-Range or Allow, they are set in w's header. After a later error the caller
// must abort the connection by a panic with [http.ErrAbortHandler], so that no client takes
// the response for complete.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, t Target) error {
	switch r.Method {
	case http.MethodOptions:
		return h.options(w, &t)
	case http.MethodGet, http.MethodHead:
		return h.get(w, r, &t)
	case "PROPFIND":
		return h.propfind(w, r, &t)
	}
	if t.ReadOnly {
		return refuseMethod(w, r, readOnlyMethods)
	}
	change := map[string]func(http.ResponseWriter, *http.Request, *Target) error{
		http.MethodPut:    h.put,
		http.MethodDelete: h.delete,
		"MKCOL":           h.mkcol,
		"MOVE":            h.move,
		"COPY":            h.copy,
	}[r.Method]
	if change == nil {
		return refuseMethod(w, r, Methods)
	}
	return change(w, r, &t)
}

// options answers OPTIONS. Without locks the DAV class is 1.
func (h *Handler) options(w http.ResponseWriter, t *Target) error {
	header := w.Header()
	header.Set("DAV", "1")
	header.Set("Allow", Methods)
	if t.ReadOnly {
		header.Set("Allow", readOnlyMethods)
	}
	header.Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// refuseMethod returns refusal.ErrMethod and sets the header Allow.
func refuseMethod(w http.ResponseWriter, r *http.Request, allowed string) error {
	w.Header().Set("Allow", allowed)
	return fmt.Errorf("%w: %.16q", refusal.ErrMethod, r.Method)
}

// refuseCollection is refuseMethod for methods that only files have.
func refuseCollection(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Allow", collectionMethods)
	return fmt.Errorf("%w of a collection: %.16q", refusal.ErrMethod, r.Method)
}

// fixed refuses to change a name with a place in the caller's layout.
func fixed(name string) error {
	return fmt.Errorf("%w: %s", refusal.ErrRepository, name)
}

// isRoot reports whether name is the root of the destination.
func isRoot(name string) bool { return name == "." }

var errNoEntry = fmt.Errorf("no such entry: %w", fs.ErrNotExist)
