package rest_test

import (
	"context"
	"io/fs"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// TestAListTakesTheSameMemoryWhateverItsLength counts all that is allocated, not just what
// is held at once.
func TestAListTakesTheSameMemoryWhateverItsLength(t *testing.T) {
	const objects, most = 50_000, 1 << 20
	info := &fileInfo{name: nameOf("pack"), size: 16 << 20}
	store := &hooked{Store: storetest.NewMem(), list: func(_ context.Context, _ string, fn func(fs.FileInfo) error) error {
		for range objects {
			if err := fn(info); err != nil {
				return err
			}
		}
		return nil
	}}
	for _, encoding := range []string{"identity", "gzip"} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Header.Set("Accept", rest.MediaTypeV2)
		r.Header.Set("Accept-Encoding", encoding)
		w := &flushed{}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := rest.NewHandler().Serve(w, r, asked(r, rest.Target{Store: store, Repo: repo, Type: object.Data})); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > most {
			t.Errorf("%s: a list of %d objects allocates %d bytes, want at most %d", encoding, objects, got, most)
		}
	}
}

// flushed can be flushed, as a list does that takes long.
type flushed struct{ counter }

func (*flushed) Flush() {}
