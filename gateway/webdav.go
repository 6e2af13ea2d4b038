package gateway

import (
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"slices"

	"github.com/rclone-gateway/rclone-gateway/gateway/dav"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// serveRoots lists the IDs of the destinations. It shows nothing below them.
func (g *Gateway) serveRoots(w http.ResponseWriter, r *http.Request, v *live.View) error {
	return g.dav.Serve(w, r, dav.Target{
		Store:      dav.Roots(slices.Sorted(maps.Keys(v.Mounts))),
		Path:       "/",
		Name:       ".",
		Collection: true,
		ReadOnly:   true,
	})
}

// serveDAV answers requests of WebDAV.
func (g *Gateway) serveDAV(w http.ResponseWriter, r *http.Request, req request, store storage.Store) error {
	tree, ok := store.(dav.Store)
	if !ok {
		return errors.ErrUnsupported
	}
	target := dav.Target{
		Store:       tree,
		Destination: req.destination,
		Path:        req.path,
		Name:        req.stored,
		Collection:  req.collection,
		PlaceOf:     placeOf,
	}
	if r.Method == "MOVE" || r.Method == "COPY" {
		var err error
		if target.To, err = req.parseTarget(r); err != nil {
			return err
		}
	}
	return g.dav.Serve(w, r, target)
}

// placeOf restricts clients of WebDAV in repositories to what restic does.
func placeOf(name string) dav.Place {
	switch object.PartOf(name) {
	case object.Directory:
		return dav.Frame
	case object.Inside:
		return dav.Fixed
	}
	return dav.Free
}

// holds checks the conditions with which a client of WebDAV stores or deletes a restic
// object. Restic's protocol has no conditions.
func (req request) holds(r *http.Request, store storage.Store) error {
	if r.Method != http.MethodPut && r.Method != http.MethodDelete || !dav.Conditional(r.Header) || req.typ == object.Root {
		return nil
	}
	info, err := store.Stat(r.Context(), object.StoredName(req.repo, req.typ, req.name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return dav.Check(r.Header, info)
}
