package gateway

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/admin"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// health asks how the destination of a repository is.
func (a *administered) health(t *testing.T, from, user, password, repository string, write bool) (int, adminapi.HealthReply) {
	t.Helper()
	query := url.Values{"repository": {repository}}
	if write {
		query.Set("write", "true")
	}
	r := httptest.NewRequest(http.MethodGet, adminapi.HealthPath+"?"+query.Encode(), nil)
	r.RemoteAddr = from
	r.SetBasicAuth(user, password)
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	var reply adminapi.HealthReply
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil {
			t.Fatalf("%s: %v", w.Body, err)
		}
		if reply.RequestID == "" {
			t.Error("no request ID")
		}
	}
	return w.Code, reply
}

func TestHealthIsForWhoMayReadTheRepository(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	const own = "/mail/" + ownUUID
	for _, tt := range []struct {
		name, from, user, repository string
		want                         int
	}{
		{"its own repository", here, "module/mail2", destID + own, http.StatusOK},
		{"its own, from another node", redistest.LeaderIP + ":50000", "module/mail2", destID + own, http.StatusOK},
		{"another module's", here, "module/mail2", destID + "/mail/11111111-1111-4111-8111-111111111111", http.StatusForbidden},
		{"the destination alone", here, "module/mail2", destID, http.StatusForbidden},
		{"none", here, "module/mail2", "", http.StatusForbidden},
		{"a way out of it", here, "module/mail2", destID + own + "/../../x/y", http.StatusForbidden},
		{"a destination that does not exist", here, "module/mail2", "11111111-1111-4111-8111-111111111111" + own, http.StatusNotFound},
		{"a node", here, "node/1", destID + "/mail/11111111-1111-4111-8111-111111111111", http.StatusOK},
		{"somebody from elsewhere", "192.0.2.1:50000", "module/mail2", destID + own, http.StatusForbidden},
		{"nobody", here, "module/mail9", destID + own, http.StatusUnauthorized},
	} {
		code, reply := a.health(t, tt.from, tt.user, redistest.Password(tt.user), tt.repository, false)
		if code != tt.want || code == http.StatusOK && (reply.State != adminapi.HealthWorks || reply.Destination != destID) {
			t.Errorf("%s: %d, want %d: %+v", tt.name, code, tt.want, reply)
		}
	}
	if code, _ := a.health(t, here, "module/mail2", "wrong", destID+own, false); code != http.StatusUnauthorized {
		t.Errorf("a wrong password: %d", code)
	}
	if code, reply := a.health(t, here, "module/mail2", redistest.Password("module/mail2"), destID+own, true); code != http.StatusOK || reply.State != adminapi.HealthWorks {
		t.Errorf("with a write: %d %+v", code, reply)
	}
}

// TestHealthTellsAKeyThatIsRefused has a WebDAV server whose password was changed, and
// one that lets nobody write.
func TestHealthTellsAKeyThatIsRefused(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	var asked atomic.Int64
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch {
		case strings.HasPrefix(r.URL.Path, "/changed"):
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodPut || r.Method == "MKCOL":
			w.WriteHeader(http.StatusForbidden)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(storage.Close)
	const changed, readOnly = "4d924319-154e-5686-b2d5-6849ca2486fc", "76d73f29-7446-5baf-a700-3ad39be75475"
	obscured, err := admin.Obscure(adminapi.ObscureRequest{Type: "webdav", Values: map[string]string{"pass": "Very-Secret-1"}})
	if err != nil {
		t.Fatal(err)
	}
	for id, folder := range map[string]string{changed: "/changed", readOnly: "/readonly"} {
		a.redis.AddDestinations(redistest.Destination{
			ID: id, Name: "Bucket " + folder[1:], Provider: "rclone", URL: "rclone:webdav:x:",
			RcloneConf: "[" + id + "]\ntype = webdav\nurl = " + storage.URL + folder + "\nvendor = other\nuser = me\npass = " + obscured.Values["pass"] + "\n",
		})
	}
	ask := func(id string, write bool) adminapi.HealthReply {
		t.Helper()
		code, reply := a.health(t, here, "module/mail2", redistest.Password("module/mail2"), id+"/mail/"+ownUUID, write)
		if code != http.StatusOK {
			t.Fatalf("%s: status %d", id, code)
		}
		if strings.Contains(reply.Reason, storage.URL) || strings.Contains(reply.Reason, "Very-Secret") {
			t.Errorf("the module is told %q", reply.Reason)
		}
		return reply
	}
	if reply := ask(changed, false); reply.State != adminapi.HealthUnreadable || !reply.KeyRefused || reply.Name != "Bucket changed" {
		t.Errorf("a changed password: %+v", reply)
	}
	before := asked.Load()
	if ask(changed, false); asked.Load() != before {
		t.Error("the storage was asked again at once")
	}
	if reply := ask(readOnly, false); reply.State != adminapi.HealthWorks {
		t.Errorf("reading: %+v", reply)
	}
	if reply := ask(readOnly, true); reply.State != adminapi.HealthUnwritable || !reply.KeyRefused {
		t.Errorf("a server that lets nobody write: %+v", reply)
	}
}
