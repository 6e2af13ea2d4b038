package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/wire"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// ask sends a request of a restic client, as the user.
func (a *administered) ask(user, method, path, body string) (int, string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = here
	r.Header.Set("Accept", rest.MediaTypeV2)
	r.SetBasicAuth(user, redistest.Password(user))
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestWhatANodeDeletesComesBack(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	repo := "/" + destID + "/mail/" + ownUUID
	want := func(user, method, path, body string, code int) string {
		t.Helper()
		got, answer := a.ask(user, method, path, body)
		if got != code {
			t.Fatalf("%s: %s %s: %d, want %d: %s", user, method, path, got, code, answer)
		}
		return answer
	}
	want("module/mail2", "POST", repo+"/?create=true", "", 200)
	want("module/mail2", "POST", repo+"/config", strings.Repeat("a config", 20), 200)
	for _, kind := range []string{"data", "snapshots", "index", "locks"} {
		content := strings.Repeat("some "+kind, 20)
		sum := sha256.Sum256([]byte(content))
		name := repo + "/" + kind + "/" + hex.EncodeToString(sum[:])
		want("node/1", "POST", name, content, 200)
		want("node/1", "DELETE", name, "", 200)
		want("node/1", "GET", name, "", 404)
		if list := want("node/1", "GET", repo+"/"+kind+"/", "", 200); list != "[]" {
			t.Errorf("after the deletion %s lists %s", kind, list)
		}
	}
	// Nothing of the trash is to be had by either protocol.
	for _, path := range []string{"/rclone-gateway-trash/config", "/rclone-gateway-trash/x/config", "/rclone-gateway-trash/mail/" + ownUUID + "/data/"} {
		if code, answer := a.ask("node/1", "GET", "/"+destID+path, ""); code != 404 {
			t.Errorf("GET %s: %d: %s", path, code, answer)
		}
	}
	if code, _ := a.ask("node/1", "POST", "/"+destID+"/rclone-gateway-trash/x/config", "a config"); code != 400 {
		t.Errorf("a config in the trash: %d", code)
	}

	request := fmt.Sprintf(`{"destination":%q,"repository":"mail/%s","kinds":["data","snapshots","index"]}`, destID, ownUUID)
	for user, status := range map[string]int{"module/mail2": 403, "node/1": 200} {
		code, answer := a.post(adminapi.TrashListPath, here, user, redistest.Password(user), request)
		if code != status {
			t.Errorf("%s lists the trash: %d, want %d: %s", user, code, status, answer)
		}
		var reply adminapi.TrashReply
		if code == http.StatusOK && (json.Unmarshal([]byte(answer), &reply) != nil || len(reply.Objects) != 3) {
			t.Errorf("the trash has %s; want 3 objects", answer)
		}
	}
	code, answer := a.post(adminapi.TrashRestorePath, here, "node/1", redistest.Password("node/1"), request)
	if code != http.StatusOK || !strings.Contains(answer, `"objects":3`) {
		t.Errorf("restored: %d %s", code, answer)
	}
	for _, kind := range []string{"data", "snapshots", "index"} {
		if list := want("module/mail2", "GET", repo+"/"+kind+"/", "", 200); strings.Count(list, `"name"`) != 1 {
			t.Errorf("%s lists %s", kind, list)
		}
	}
	for _, bad := range []string{`{"destination":"x"}`, fmt.Sprintf(`{"destination":%q,"repository":"../x"}`, destID)} {
		if code, answer := a.post(adminapi.TrashListPath, here, "node/1", redistest.Password("node/1"), bad); code != 404 && code != 400 {
			t.Errorf("%s: %d %s", bad, code, answer)
		}
	}
}

// webdav sends a request of a WebDAV client, as node 1.
func (a *administered) webdav(method, path, destination string) int {
	r := httptest.NewRequest(method, path, nil)
	r.RemoteAddr = here
	r.SetBasicAuth("node/1", redistest.Password("node/1"))
	if destination != "" {
		r.Header.Set("Destination", "http://"+r.Host+destination)
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w.Code
}

// TestWhatANodeDeletesOverWebDAVIsKept, one by one or with its directory; nothing is moved
// out of a repository, to be deleted elsewhere. A shorter time to keep is for what is deleted
// later.
func TestWhatANodeDeletesOverWebDAVIsKept(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	repo := "/" + destID + "/mail/" + ownUUID
	var names []string
	for i := range 3 {
		content := strings.Repeat(fmt.Sprint("snapshot ", i), 20)
		sum := sha256.Sum256([]byte(content))
		names = append(names, repo+"/snapshots/"+hex.EncodeToString(sum[:]))
		if code, answer := a.ask("node/1", "POST", names[i], content); code != http.StatusOK {
			t.Fatalf("POST: %d: %s", code, answer)
		}
	}
	if code := a.webdav("MOVE", names[0], "/"+destID+"/elsewhere"); code < http.StatusBadRequest {
		t.Errorf("MOVE out of a repository: %d", code)
	}
	if code := a.webdav("DELETE", names[0], ""); code >= http.StatusBadRequest {
		t.Errorf("DELETE of a snapshot: %d", code)
	}
	trashed := func() (objects []adminapi.Deleted) {
		t.Helper()
		request := fmt.Sprintf(`{"destination":%q,"repository":"mail/%s"}`, destID, ownUUID)
		code, answer := a.post(adminapi.TrashListPath, here, "node/1", redistest.Password("node/1"), request)
		var reply adminapi.TrashReply
		if err := json.Unmarshal([]byte(answer), &reply); err != nil || code != http.StatusOK {
			t.Fatalf("the trash: %d %s, %v", code, answer, err)
		}
		return reply.Objects
	}
	before := trashed()
	if len(before) != 1 {
		t.Fatalf("the trash has %+v", before)
	}
	a.redis.Do("HSET", catalog.LimitsKey(destID), catalog.FieldKeepDeleted, "3600")
	if err := a.gateway.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	code := a.webdav("DELETE", repo+"/snapshots/", "")
	after := trashed()
	left := 0
	for _, name := range names[1:] {
		if code, _ := a.ask("node/1", "GET", name, ""); code == http.StatusOK {
			left++
		}
	}
	if len(after)+left != len(names) {
		t.Errorf("after DELETE of the directory, which answers %d, %d snapshots are there and %d kept", code, left, len(after))
	}
	for _, o := range after {
		kept := o.Expires.Sub(o.Deleted)
		if first := o.Name == before[0].Name; first && !o.Expires.Equal(before[0].Expires) || !first && kept.Hours() > 2 {
			t.Errorf("%s is kept for %v", o.Name, kept)
		}
	}
}

func TestTheTrashIsEmptiedOnTheGatewaysHostAlone(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	name := "/" + destID + "/mail/" + ownUUID + "/index/" + digits64
	content := strings.Repeat("an index", 20)
	sum := sha256.Sum256([]byte(content))
	name = strings.ReplaceAll(name, digits64, hex.EncodeToString(sum[:]))
	for _, method := range []string{"POST", "DELETE"} {
		if code, answer := a.ask("node/1", method, name, content); code != 200 {
			t.Fatalf("%s: %d: %s", method, code, answer)
		}
	}
	request := fmt.Sprintf(`{"destination":%q}`, destID)
	if code, _ := a.post(adminapi.TrashEmptyPath, here, "node/1", redistest.Password("node/1"), request); code == http.StatusOK {
		t.Error("a node's password empties the trash")
	}
	socket := filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	stop := a.gateway.serveAdmin(listener)
	defer func() {
		if err := stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	response, err := client.Post("http://gateway"+adminapi.TrashEmptyPath, "application/json", strings.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(answer), `"objects":1`) {
		t.Errorf("emptied: %s %s, %v", response.Status, answer, err)
	}
}

func TestTheAdministrativeSocketHearsItsOwnUserAlone(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	accepted := make(chan error, 1)
	go func() {
		_, err := wire.OwnPeers{Listener: listener}.Accept()
		accepted <- err
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// Of whom the kernel does not know the user, the connection is closed.
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("it was heard")
	}
	_ = listener.Close()
	if err := <-accepted; err == nil {
		t.Error("it was accepted")
	}
}

func TestAFullStorageNamesWhatTheTrashHolds(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	a.redis.Do("HSET", catalog.LimitsKey(destID), "module_quota", "1000")
	if err := a.gateway.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	content := strings.Repeat("a pack", 100)
	sum := sha256.Sum256([]byte(content))
	name := "/" + destID + "/mail/" + ownUUID + "/data/" + hex.EncodeToString(sum[:])
	for _, method := range []string{"POST", "DELETE"} {
		if code, answer := a.ask("node/1", method, name, content); code != 200 {
			t.Fatalf("%s: %d: %s", method, code, answer)
		}
	}
	a.gateway.state.PurgeTrash(t.Context())
	// What the trash holds is not the module's.
	if code, answer := a.ask("module/mail2", "POST", name, content); code != 200 {
		t.Errorf("a pack that fits: %d: %s", code, answer)
	}
	code, answer := a.ask("module/mail2", "POST", name, strings.Repeat("x", 2000))
	if code != http.StatusInsufficientStorage || !strings.Contains(answer, "600 bytes") || !strings.Contains(answer, "gatewayctl trash empty --destination "+destID) {
		t.Errorf("one too many: %d: %s", code, answer)
	}
}
