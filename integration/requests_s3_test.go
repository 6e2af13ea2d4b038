package integration

import (
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway"
	"github.com/rclone-gateway/rclone-gateway/gateway/blobcache"
)

// TestRequestsOfWhatIsKnown counts what MinIO is asked by the gateway about objects that it
// was told of a moment ago, and for small ones that were read before.
func TestRequestsOfWhatIsKnown(t *testing.T) {
	t.Parallel()
	s := startMinIO(t)
	c := newCluster(t)
	c.AddDestinations(s.destinations(t, moreDest, s.secret)...)
	cache, err := blobcache.Open(filepath.Join(t.TempDir(), "cache"), 1<<20, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cache.Close() })
	g := c.serve(t, func(o *gateway.Options) { o.Cache = cache })
	node := g.node()
	base := "/" + moreDest + "/" + mailRepo
	node.want(t, http.StatusOK, http.MethodPost, base+"/?create=true", nil) // and the bucket
	node.want(t, http.StatusOK, http.MethodPost, base+"/config", aConfig)
	kinds := []string{"data", "index", "snapshots", "keys"}
	names := map[string]string{}
	for _, kind := range kinds {
		content, name := blob(1000)
		if kind == "keys" {
			content = resticKey("somebody", 1<<15, 8, 1, 64, 170)
			name = nameOf(content)
		}
		names[kind] = base + "/" + kind + "/" + name
		node.want(t, http.StatusOK, http.MethodPost, names[kind], content)
	}
	requests := func(want int64, method, path string) {
		t.Helper()
		before := s.link.requests.Load()
		node.want(t, http.StatusOK, method, path, nil)
		if n := s.link.requests.Load() - before; n != want {
			t.Errorf("%s %s: %d requests, want %d", method, path, n, want)
		}
	}
	requests(0, http.MethodHead, names["data"])
	requests(0, http.MethodHead, names["index"])
	requests(1, http.MethodHead, names["keys"])
	requests(1, http.MethodHead, base+"/config")
	for kind := range names {
		node.want(t, http.StatusOK, http.MethodGet, base+"/"+kind+"/", nil)
	}
	for kind, name := range names {
		if kind == "snapshots" {
			node.want(t, http.StatusOK, http.MethodHead, name, nil) // asks who saved it
		}
		requests(0, http.MethodHead, name)
	}
	requests(1, http.MethodHead, base+"/config")
	requests(1, http.MethodHead, base+"/config")
	requests(1, http.MethodGet, names["data"])
	requests(1, http.MethodGet, names["data"])
	for _, kind := range []string{"index", "snapshots", "keys"} {
		requests(1, http.MethodGet, names[kind])
		requests(0, http.MethodGet, names[kind])
	}
	for _, name := range names {
		node.want(t, http.StatusOK, http.MethodDelete, name, nil)
		node.want(t, http.StatusNotFound, http.MethodHead, name, nil)
		node.want(t, http.StatusNotFound, http.MethodGet, name, nil)
	}
}
