package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// loadedView is a view of a real Redis with one module and one destination.
func loadedView(tb testing.TB) *view {
	tb.Helper()
	server := redistest.Start(tb)
	server.SetupNS8()
	server.AddModules(redistest.Module{ID: "mail2", UUID: ownUUID, Node: "1"})
	server.AddLocalDestination(destID, tb.TempDir())
	snapshot, err := catalog.Load(tb.Context(), server.Admin(), catalog.LoadOptions{NodeID: "1"})
	if err != nil {
		tb.Fatal(err)
	}
	v, _ := newView(nil, snapshot, (&counted{}).open, discard)
	return v
}

// aRequest is the mail module's, for an object of its own.
func aRequest() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/"+destID+"/mail/"+ownUUID+"/data/"+digits64, nil)
	r.Header.Set("Accept", rest.MediaTypeV2)
	r.SetBasicAuth("module/mail2", redistest.Password("module/mail2"))
	return r
}

func TestAdmissionAllocatesNothing(t *testing.T) {
	v, r := loadedView(t), aRequest()
	req := parseRequest(r)
	if adm, err := v.admit(r, req); err != nil || adm.store == nil {
		t.Fatalf("not admitted: %v", err)
	}
	if n := testing.AllocsPerRun(1000, func() {
		_, _ = v.admit(r, parseRequest(r))
	}); n != 0 {
		t.Errorf("%v allocations for each request", n)
	}
}

func BenchmarkAdmission(b *testing.B) {
	v, r := loadedView(b), aRequest()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.admit(r, parseRequest(r)); err != nil {
			b.Fatal(err)
		}
	}
}
