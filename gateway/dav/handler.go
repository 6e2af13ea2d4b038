package dav

import (
	"fmt"
	"io/fs"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// Place says what a name stands for.
type Place uint8

const (
	// Free is a name that clients may do anything with.
	Free Place = iota
	// Frame is a directory of the caller's own layout: clients may make and list
	// it, and neither move, copy nor remove it.
	Frame
	// Fixed is a file of the caller's own layout, or a name that has no place in
	// it: clients may read it.
	Fixed
)

// Target is what an authorised request is about.
type Target struct {
	// Store is where the resource lives.
	Store Store
	// Destination identifies the store across reloads.
	Destination string
	// Path is the path of the URL, decoded, as clients see it: hrefs begin with it.
	Path string
	// Name is the same resource's name in the store; "." is its root.
	Name string
	// Collection is true where the URL ended with a slash.
	Collection bool
	// To is the name in the same store that MOVE and COPY write to.
	To string
	// PlaceOf says which names clients may not change. Nil means that all are [Free].
	PlaceOf func(name string) Place
	// ReadOnly refuses whatever changes something.
	ReadOnly bool
}

func (t *Target) place(name string) Place {
	if t.PlaceOf == nil {
		return Free
	}
	return t.PlaceOf(name)
}

// Handler serves the protocol for all destinations of a process. Its only state,
// who is changing which name, is keyed by destination and so outlives reloads: a
// process needs exactly one. It is safe for concurrent use.
type Handler struct {
	writers writers
}

// NewHandler returns a Handler without any state.
func NewHandler() *Handler { return &Handler{} }

// Methods is what [Handler.Serve] answers, for the header Allow.
const (
	Methods         = "OPTIONS, GET, HEAD, PROPFIND, PUT, DELETE, MKCOL, COPY, MOVE"
	readOnlyMethods = "OPTIONS, GET, HEAD, PROPFIND"
	// collectionMethods are those of a collection that is there.
	collectionMethods = "OPTIONS, GET, HEAD, PROPFIND, DELETE, COPY, MOVE"
)

// Serve answers one authorised request. Of r it reads the method, the headers,
// the body and the context; what the URL says is in t.
//
// An error before the first byte of the response is for the caller to turn into
// a status; Content-Range and Allow are then set in w's header where the status
// wants them. After an error behind the first byte the caller must break the
// connection off, by a panic with [http.ErrAbortHandler], so that no client takes
// the response for a complete one.
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

// options says what there is. No locks: class 1 alone.
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

// refuseMethod returns refusal.ErrMethod and leaves in the header what is allowed.
func refuseMethod(w http.ResponseWriter, r *http.Request, allowed string) error {
	w.Header().Set("Allow", allowed)
	return fmt.Errorf("%w: %.16q", refusal.ErrMethod, r.Method)
}

// refuseCollection is refuseMethod for what only files have.
func refuseCollection(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Allow", collectionMethods)
	return fmt.Errorf("%w of a collection: %.16q", refusal.ErrMethod, r.Method)
}

// fixed refuses to change a name that has a place in somebody's layout.
func fixed(name string) error {
	return fmt.Errorf("%w: %s", refusal.ErrRepository, name)
}

// isRoot reports whether name is the destination itself.
func isRoot(name string) bool { return name == "." }

var errNoEntry = fmt.Errorf("no such entry: %w", fs.ErrNotExist)
