package gateway

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/dashboard"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/page"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/statustest"
	"github.com/rclone-gateway/rclone-gateway/internal/browseapi"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// newSnapshots is what "gatewayctl snapshot serve" answers, on a socket.
func newSnapshots(t *testing.T) (socket string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc(browseapi.ListPath, func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("path") == "/none" {
			http.NotFound(w, r)
			return
		}
		entries := []browseapi.Entry{{Name: "<b>", Type: "dir", Modified: time.Now()}, {Name: "todo & done.txt", Type: "file", Size: 7}, {Name: "link", Type: "symlink"}}
		_ = json.NewEncoder(w).Encode(browseapi.Listing{Path: r.FormValue("path"), Entries: entries, More: true})
	})
	mux.HandleFunc(browseapi.ContentPath, func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("path") == "/broken" {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("part"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("content"))
	})
	return testenv.ServeSocket(t, mux)
}

func TestFilesOfSnapshotsAreShownWhereTheNodeServesThem(t *testing.T) {
	t.Parallel()
	socket := newSnapshots(t)
	a := newWatched(t, statustest.World{Modules: 1, Destinations: 1, Days: 2}, func(o *Options) { o.SnapshotsSocket = socket })
	cookie := a.logIn(t, statustest.Admin, redistest.Password(statustest.Admin))
	base := page.Base + "/modules/" + statustest.Path(0) + "/snapshots/" + digits64
	at := func(path string) string {
		return "?" + url.Values{"destination": {statustest.Destination(0)}, "path": {path}}.Encode()
	}
	got := a.browse(base+at("/volumes/data"), cookie)
	for _, want := range []string{"&lt;b&gt;", "todo &amp; done.txt", "path=%2Fvolumes%2Fdata%2F%3Cb%3E", "path=%2Fvolumes\"", "symlink", "There are more"} {
		if got.Code != http.StatusOK || !strings.Contains(got.Body.String(), want) {
			t.Errorf("the list: %d, no %q: %s", got.Code, want, got.Body)
		}
	}
	got = a.browse(base+"/content"+at("/volumes/data/todo & done.txt"), cookie)
	header := got.Header()
	if got.Code != http.StatusOK || got.Body.String() != "content" || header.Get("Content-Type") != "application/octet-stream" ||
		header.Get("Content-Disposition") != `attachment; filename="todo & done.txt"` || !strings.Contains(header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("a download: %d, %v", got.Code, header)
	}
	events, err := audit.Tail(a.gateway.opts.Audit.Path(), 1)
	if err != nil || len(events) != 1 || events[0].What != "download" || events[0].Who != statustest.Admin || !strings.Contains(events[0].Object, "todo & done.txt") {
		t.Errorf("the audit log has %+v (%v)", events, err)
	}
	for name, path := range map[string]string{
		"a directory that is not there": base + at("/none"), "another module": page.Base + "/modules/mail/none/snapshots/x" + at("/"),
		"another destination": base + "?destination=none",
	} {
		if got := a.browse(path, cookie); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d", name, got.Code)
		}
	}
	for _, path := range []string{base + at("/"), base + "/content" + at("/x")} {
		if got := a.browse(path, ""); got.Code != http.StatusSeeOther {
			t.Errorf("%s without a session: %d", path, got.Code)
		}
	}
	served := httptest.NewServer(a.handler)
	defer served.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, served.URL+base+"/content"+at("/broken"), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: dashboard.SessionCookie, Value: cookie})
	answer, err := http.DefaultClient.Do(r)
	if err == nil {
		_, err = io.ReadAll(answer.Body)
		_ = answer.Body.Close()
	}
	if err == nil {
		t.Error("a download that broke off ends as if it were whole")
	}
}

func TestFilesOfSnapshotsAreNotShownWithoutThat(t *testing.T) {
	t.Parallel()
	a := newWatched(t, statustest.World{Modules: 1, Destinations: 1, Days: 2})
	cookie := a.logIn(t, statustest.Admin, redistest.Password(statustest.Admin))
	path := page.Base + "/modules/" + statustest.Path(0) + "/snapshots/" + digits64
	for _, suffix := range []string{"", "/content"} {
		if got := a.browse(path+suffix+"?destination="+statustest.Destination(0), cookie); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d", suffix, got.Code)
		}
	}
	a = newWatched(t, statustest.World{Modules: 1, Destinations: 1, Days: 2}, func(o *Options) { o.SnapshotsSocket = "/nonexistent" })
	cookie = a.logIn(t, statustest.Admin, redistest.Password(statustest.Admin))
	if got := a.browse(path+"?destination="+statustest.Destination(0), cookie); got.Code != http.StatusServiceUnavailable {
		t.Errorf("a socket that nobody serves: %d", got.Code)
	}
}
