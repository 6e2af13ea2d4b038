package rest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// TestReceiptsOfSnapshots asks when snapshots were received, and by whom they were saved.
// What is saved again keeps whose it was.
func TestReceiptsOfSnapshots(t *testing.T) {
	t.Parallel()
	s := serve(t, storetest.NewMem())
	ofModule, ofNode := save("snapshots", 1, 200), save("snapshots", 2, 200)
	s.run(t, []call{ofModule})
	s.node = true
	s.run(t, []call{ofNode, ofModule})
	s.node = false
	s.run(t, []call{ofNode})
	for by, saved := range map[string]call{"": ofModule, "node": ofNode} {
		resp := s.send(t, call{method: http.MethodHead, path: saved.path})
		resp.Body.Close()
		if got := resp.Header.Get(rest.HeaderSavedBy); resp.StatusCode != http.StatusOK || got != by {
			t.Errorf("%s: %d, saved by %q, want %q", saved.path, resp.StatusCode, got, by)
		}
		at, err := http.ParseTime(resp.Header.Get("Last-Modified"))
		if err != nil || time.Since(at).Abs() > time.Hour {
			t.Errorf("%s: received %s, %v", saved.path, at, err)
		}
	}
	s.run(t, []call{{
		about: "no receipt of other objects", method: http.MethodHead, path: "index/" + nameOf(sealed("index1")), status: 404,
	}, save("index", 1, 200), {
		about: "of an index", method: http.MethodHead, path: "index/" + nameOf(sealed("index1")), status: 200, want: map[string]string{"Last-Modified": ""},
	}})
}
