package gateway

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// administered is a gateway on a real Redis, its handler called as from an address.
type administered struct {
	redis   *redistest.Server
	handler http.Handler
	log     *testenv.Buffer
	gateway *Gateway
}

func newAdministered(t *testing.T) *administered {
	t.Helper()
	a := &administered{redis: redistest.Start(t), log: &testenv.Buffer{}}
	a.redis.SetupNS8()
	a.redis.AddModules(redistest.Module{ID: "mail2", UUID: ownUUID, Node: "1"})
	a.redis.AddLocalDestination(destID, t.TempDir())
	opts := Defaults()
	opts.Redis = catalog.Redis{Address: a.redis.Addr, Username: "node/1", Password: redistest.Password("node/1")}
	opts.Load = catalog.LoadOptions{NodeID: "1", ClusterStore: t.TempDir()}
	opts.Log = slog.New(slog.NewTextHandler(a.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	g, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	g.Start()
	t.Cleanup(func() {
		if err := g.Stop(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	if err := g.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.handler, a.gateway = g.routes(), g
	return a
}

// post sends a body as the user from the address, and returns status and answer.
func (a *administered) post(path, from, user, password, body string) (int, string) {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.RemoteAddr = from
	r.SetBasicAuth(user, password)
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

const here = "127.0.0.1:50000"

func TestAdministrationIsForNodesOnThisHost(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	body := `{"type":"smb","values":{"pass":"Very-Secret"}}`
	for _, tt := range []struct {
		name, from, user, password string
		want                       int
	}{
		{"a node", here, "node/1", redistest.Password("node/1"), http.StatusOK},
		{"a node over IPv6", "[::1]:50000", "node/1", redistest.Password("node/1"), http.StatusOK},
		{"a node through a socket", "@", "node/1", redistest.Password("node/1"), http.StatusOK},
		{"a node from the cluster's network", redistest.LeaderIP + ":50000", "node/1", redistest.Password("node/1"), http.StatusForbidden},
		{"a module", here, "module/mail2", redistest.Password("module/mail2"), http.StatusForbidden},
		{"a wrong password", here, "node/1", "wrong", http.StatusUnauthorized},
		{"nobody", here, "node/9", "wrong", http.StatusUnauthorized},
	} {
		for _, path := range []string{adminapi.ObscurePath, adminapi.CheckPath} {
			body := body
			if path == adminapi.CheckPath {
				body = `{"id":"` + destID + `"}`
			}
			if code, answer := a.post(path, tt.from, tt.user, tt.password, body); code != tt.want {
				t.Errorf("%s at %s: %d, want %d: %s", tt.name, path, code, tt.want, answer)
			}
		}
	}
	if strings.Contains(a.log.String(), "Very-Secret") {
		t.Error("the log holds the secret")
	}
}

func TestAdministrationChecksWhatRedisHasAndCandidates(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	const candidate = "4d924319-154e-5686-b2d5-6849ca2486fc"
	check := func(request string) (int, adminapi.CheckReport) {
		t.Helper()
		code, answer := a.post(adminapi.CheckPath, here, "node/1", redistest.Password("node/1"), request)
		var report adminapi.CheckReport
		if code == http.StatusOK {
			if err := json.Unmarshal([]byte(answer), &report); err != nil {
				t.Fatalf("%s: %v", answer, err)
			}
		}
		return code, report
	}
	if _, report := check(`{"id":"` + destID + `","conformance":true}`); report.Error != "" || len(report.Steps) != 6 || !report.Conforms() {
		t.Errorf("an existing one: %+v", report)
	}
	if code, _ := check(`{"id":"` + candidate + `"}`); code != http.StatusNotFound {
		t.Errorf("an unknown one: %d", code)
	}
	if _, report := check(`{"id":"` + candidate + `","candidate":{"provider":"cluster","url":"webdav:http://` + redistest.LeaderIP + `:4694"}}`); report.Error != "" || report.Type != "local" {
		t.Errorf("this node's own: %+v", report)
	}
	section := `[` + candidate + `]\ntype = webdav\nurl = http://127.0.0.1:1\nuser = me\npass = Very-Secret\n`
	_, report := check(`{"id":"` + candidate + `","candidate":{"provider":"rclone","url":"rclone:webdav:x:","rclone_conf":"` + section + `"}}`)
	if report.Error != adminapi.NotAccessible || report.Reason == "" || strings.Contains(report.Detail, "Very-Secret") {
		t.Errorf("a server that is away: %+v", report)
	}
	if _, report := check(`{"id":"` + candidate + `","candidate":{"provider":"backblaze","url":"b2:x","rclone_conf":"Very-Secret"}}`); report.Error != adminapi.NotAccessible {
		t.Errorf("no section: %+v", report)
	}
	for _, body := range []string{"", "{", `{"id":7}`, `{"surplus":1}`} {
		if code, _ := check(body); code != http.StatusBadRequest {
			t.Errorf("body %q: %d", body, code)
		}
	}
	a.redis.AddLocalDestination(candidate, t.TempDir())
	if _, report := check(`{"id":"` + candidate + `"}`); report.Error != "" || len(report.Steps) != 6 {
		t.Errorf("one that was added a moment ago: %+v", report)
	}
	if strings.Contains(a.log.String(), "Very-Secret") {
		t.Error("the log holds the secret")
	}
}
