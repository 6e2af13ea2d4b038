package gateway

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

var discard = slog.New(slog.DiscardHandler)

// inMemory opens an empty store.
func inMemory(context.Context, *catalog.Destination) (storage.Store, io.Closer, error) {
	return storetest.NewMem(), nil, nil
}

// loadedView is a view of a real Redis with one module and one destination.
func loadedView(tb testing.TB) *live.View {
	tb.Helper()
	server := redistest.Start(tb)
	server.SetupNS8()
	server.AddModules(redistest.Module{ID: "mail2", UUID: ownUUID, Node: "1"})
	server.AddLocalDestination(destID, tb.TempDir())
	snapshot, err := catalog.Load(tb.Context(), server.Admin(), catalog.LoadOptions{NodeID: "1"})
	if err != nil {
		tb.Fatal(err)
	}
	v, _ := live.NewView(nil, snapshot, inMemory, nil, discard)
	return v
}

// aRequest is the mail module's, for an object of its own.
func aRequest() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/"+destID+"/mail/"+ownUUID+"/data/"+digits64, nil)
	r.Header.Set("Accept", rest.MediaTypeV2)
	r.SetBasicAuth("module/mail2", redistest.Password("module/mail2"))
	return r
}

func decide(v *live.View, r *http.Request) (access.Admission, error) {
	req := parseRequest(r)
	return access.Decide(v, r, req.access())
}

func TestAdmissionAllocatesNothing(t *testing.T) {
	v, r := loadedView(t), aRequest()
	if adm, err := decide(v, r); err != nil || adm.Mount == nil {
		t.Fatalf("not admitted: %v", err)
	}
	if n := testing.AllocsPerRun(1000, func() {
		_, _ = decide(v, r)
	}); n != 0 {
		t.Errorf("%v allocations for each request", n)
	}
}

func BenchmarkAdmission(b *testing.B) {
	v, r := loadedView(b), aRequest()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decide(v, r); err != nil {
			b.Fatal(err)
		}
	}
}
