package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/past"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// TestWhoMayDoWhatToARepositoryAsItWas is the matrix of views: whoever may read the
// repository may read it as it was and lock it, and nobody may do anything else.
func TestWhoMayDoWhatToARepositoryAsItWas(t *testing.T) {
	t.Parallel()
	const at = "@2026-11-29T20:00:00Z"
	for _, op := range []struct{ method, object, may string }{
		{"HEAD", "config", "ogn"}, {"GET", "config", "ogn"}, {"GET", "data/", "ogn"}, {"GET", "data/" + digits64, "ogn"},
		{"HEAD", "data/" + digits64, "ogn"}, {"GET", "keys/", "ogn"}, {"GET", "keys/" + digits64, "ogn"}, {"GET", "snapshots/", "ogn"},
		{"GET", "locks/", "ogn"}, {"GET", "locks/" + digits64, "ogn"}, {"POST", "locks/" + digits64, "ogn"}, {"DELETE", "locks/" + digits64, "ogn"},
		{"POST", "?create=true", ""}, {"POST", "config", ""}, {"POST", "data/" + digits64, ""}, {"POST", "keys/" + digits64, ""},
		{"POST", "snapshots/" + digits64, ""}, {"POST", "index/" + digits64, ""}, {"PUT", "data/" + digits64, ""},
		{"DELETE", "config", ""}, {"DELETE", "data/" + digits64, ""}, {"DELETE", "snapshots/" + digits64, ""}, {"DELETE", "keys/" + digits64, ""},
		{"DELETE", "", ""}, {"PATCH", "data/" + digits64, ""}, {"DELETE", "locks/", ""},
		{"PROPFIND", "data/", ""}, {"MKCOL", "data/", ""}, {"OPTIONS", "", ""},
	} {
		for letter, who := range map[string]struct {
			principal *catalog.Principal
			repo      string
		}{
			"o": {aModule, aModule.Own[0]}, "g": {aModule, aModule.Granted[0]}, "s": {aModule, "traefik/" + srcUUID}, "n": {aNode, "mail/" + ownUUID},
		} {
			r := httptest.NewRequest(op.method, "/"+destID+"/"+who.repo+at+"/"+op.object, nil)
			if op.method != "PROPFIND" && op.method != "MKCOL" && op.method != "OPTIONS" {
				r.Header.Set("Accept", rest.MediaTypeV2)
			}
			req := parseRequest(r)
			got := access.Allow(access.Relate(who.principal, req.inside), req.operation) && req.refusedAsPast() == nil
			if want := strings.Contains(op.may, letter); got != want {
				t.Errorf("%s %s by %s: allowed %v, want %v", op.method, r.URL, letter, got, want)
			}
		}
	}
}

func TestTimesOfRepositoriesAsTheyWere(t *testing.T) {
	t.Parallel()
	own := "/" + destID + "/mail/" + ownUUID
	for segment, want := range map[string]error{
		"@2026-11-29T20:00:00Z": nil, "@1970-01-01T00:00:00Z": nil,
		"@2026-11-29T20:00:00": refusal.ErrTime, "@2026-11-29T20:00:00.5Z": refusal.ErrTime, "@2026-11-29T20:00:00+01:00": refusal.ErrTime,
		"@2026-11-29": refusal.ErrTime, "@2026-02-30T00:00:00Z": refusal.ErrTime, "@2026-11-29T24:00:00Z": refusal.ErrTime,
		"@2026-11-29t20:00:00z": refusal.ErrTime, "@2026-11-29T20:00:00Z@2026-11-29T20:00:00Z": refusal.ErrTime,
	} {
		r := httptest.NewRequest(http.MethodGet, own+segment+"/config", nil)
		req := parseRequest(r)
		if err := req.refusedAsPast(); !req.view.asked || !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", segment, err, want)
		}
	}
	// What only holds an @ is no view, and what is encoded in another way gives no right.
	for _, path := range []string{own + "@home/config", "/" + destID + "/mail@2026-11-29T20:00:00Z/" + ownUUID + "/config"} {
		if req := parseRequest(httptest.NewRequest(http.MethodGet, path, nil)); req.view.asked || req.inside != strings.TrimPrefix(path, "/"+destID+"/") {
			t.Errorf("%s is taken for a view", path)
		}
	}
	if req := parseRequest(httptest.NewRequest(http.MethodGet, own+"%402026-11-29T20:00:00Z/config", nil)); req.inside != "" {
		t.Errorf("an encoded @ gives a right to %s", req.inside)
	}
}

// pathAndBody returns the path of what has that content, and the content.
func pathAndBody(repo, kind, content string) (path, body string) {
	body = strings.Repeat(content, 20)
	sum := sha256.Sum256([]byte(body))
	return repo + "/" + kind + "/" + hex.EncodeToString(sum[:]), body
}

// nextSecond waits until another second has begun, and returns the one that is over.
func nextSecond(t *testing.T) time.Time {
	t.Helper()
	over := time.Now().Truncate(time.Second)
	testenv.Until(t, time.Minute, "the next second", func() bool { return time.Now().After(over.Add(time.Second)) })
	return over
}

func TestARepositoryIsServedAsItWas(t *testing.T) {
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
	before := nextSecond(t)
	want("module/mail2", "POST", repo+"/config", strings.Repeat("a config", 20), 200)
	pack, packBody := pathAndBody(repo, "data", "a pack")
	index, indexBody := pathAndBody(repo, "index", "an index")
	want("module/mail2", "POST", pack, packBody, 200)
	want("module/mail2", "POST", index, indexBody, 200)
	then := nextSecond(t)
	view := past.Name(repo, then)
	in := func(path string) string { return strings.Replace(path, repo, view, 1) }
	want("node/1", "DELETE", pack, "", 200)
	want("node/1", "DELETE", index, "", 200)
	later, laterBody := pathAndBody(repo, "index", "a later index")
	want("module/mail2", "POST", later, laterBody, 200)

	for _, user := range []string{"module/mail2", "node/1"} {
		if list := want(user, "GET", in(repo)+"/index/", "", 200); strings.Count(list, `"name"`) != 1 || !strings.Contains(list, index[len(repo+"/index/"):]) {
			t.Errorf("%s: the index list was %s", user, list)
		}
		if list := want(user, "GET", in(repo)+"/data/", "", 200); strings.Count(list, `"name"`) != 1 {
			t.Errorf("%s: the list of packs was %s", user, list)
		}
		if got := want(user, "GET", in(pack), "", 200); got != packBody {
			t.Errorf("%s: the pack was %q", user, got)
		}
		want(user, "GET", in(repo)+"/config", "", 200)
		want(user, "GET", in(later), "", 404)
		want(user, "POST", in(later), laterBody, 403)
		want(user, "DELETE", in(index), "", map[string]int{"module/mail2": 403, "node/1": 403}[user])
	}
	want("module/mail2", "GET", strings.Replace(in(repo), ownUUID, srcUUID, 1)+"/config", "", 403)

	// Locks are of whoever saved them alone, and of no repository.
	lock, lockBody := pathAndBody(view, "locks", "a lock")
	want("module/mail2", "POST", lock, lockBody, 200)
	if got := want("module/mail2", "GET", lock, "", 200); got != lockBody {
		t.Errorf("the lock is %q", got)
	}
	if list := want("module/mail2", "GET", view+"/locks/", "", 200); strings.Count(list, `"name"`) != 1 {
		t.Errorf("its own locks are %s", list)
	}
	for _, other := range []struct{ user, path string }{{"node/1", view}, {"module/mail2", repo}, {"node/1", repo}} {
		if list := want(other.user, "GET", other.path+"/locks/", "", 200); list != "[]" {
			t.Errorf("%s sees at %s the locks %s", other.user, other.path, list)
		}
	}
	want("module/mail2", "DELETE", lock, "", 200)
	if list := want("module/mail2", "GET", view+"/locks/", "", 200); list != "[]" {
		t.Errorf("after its deletion there is %s", list)
	}

	// Before it was made there was none, and what is to come is not known.
	want("node/1", "GET", past.Name(repo, before.Add(-time.Hour))+"/config", "", 404)
	if answer := want("node/1", "GET", past.Name(repo, time.Now().Add(time.Hour))+"/config", "", 403); !strings.Contains(answer, "not over") {
		t.Errorf("a time to come: %s", answer)
	}
	// What is purged takes all times before its deletion along.
	if _, err := a.gateway.state.Latest().Mounts[destID].Trash().Empty(t.Context(), "", func(*ledger.Entry) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if answer := want("module/mail2", "GET", in(repo)+"/config", "", 403); !strings.Contains(answer, "the earliest time is 20") {
		t.Errorf("before the horizon: %s", answer)
	}
	if log := a.log.String(); !strings.Contains(log, past.Name("mail/"+ownUUID, then)) {
		t.Error("the access log does not say which time was read")
	}
}

func TestAModuleAtAFrozenRepositoryReadsAndDoesNotWrite(t *testing.T) {
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
	admin := func(path string) (reply adminapi.FreezeReply) {
		t.Helper()
		code, answer := a.post(path, here, "node/1", redistest.Password("node/1"), `{"destination":"`+destID+`","repository":"mail/`+ownUUID+`"}`)
		if code != 200 {
			t.Fatalf("%s: %d %s", path, code, answer)
		}
		if err := json.Unmarshal([]byte(answer), &reply); err != nil {
			t.Fatal(err)
		}
		return reply
	}
	want("module/mail2", "POST", repo+"/config", strings.Repeat("a config", 20), 200)
	nodesLock, nodesLockBody := pathAndBody(repo, "locks", "a lock of the node")
	want("node/1", "POST", nodesLock, nodesLockBody, 200)
	if reply := admin(adminapi.FreezePath); !reply.Changed || reply.By != "node/1" || reply.Since.IsZero() {
		t.Errorf("freeze: %+v", reply)
	}
	if admin(adminapi.FreezePath).Changed {
		t.Error("it was frozen twice")
	}
	pack, packBody := pathAndBody(repo, "data", "a pack")
	if answer := want("module/mail2", "POST", pack, packBody, 403); !strings.Contains(answer, "frozen") {
		t.Errorf("the refusal does not say why: %s", answer)
	}
	for _, kind := range []string{"index", "snapshots", "keys"} {
		path, body := pathAndBody(repo, kind, kind)
		want("module/mail2", "POST", path, body, 403)
	}
	want("module/mail2", "POST", repo+"/?create=true", "", 403)
	want("module/mail2", "GET", repo+"/config", "", 200)
	want("node/1", "POST", pack, packBody, 200)
	want("module/mail2", "GET", pack, "", 200)
	lock, lockBody := pathAndBody(repo, "locks", "a lock")
	want("module/mail2", "POST", lock, lockBody, 200)
	if list := want("module/mail2", "GET", repo+"/locks/", "", 200); strings.Count(list, `"name"`) != 2 {
		t.Errorf("with its own and the node's lock it sees %s", list)
	}
	if list := want("node/1", "GET", repo+"/locks/", "", 200); strings.Count(list, `"name"`) != 1 {
		t.Errorf("the node sees %s", list)
	}
	want("module/mail2", "DELETE", nodesLock, "", 200) // which has no effect
	if list := want("node/1", "GET", repo+"/locks/", "", 200); strings.Count(list, `"name"`) != 1 {
		t.Errorf("after the module deleted the node's lock, the node sees %s", list)
	}
	if reply := admin(adminapi.ThawPath); !reply.Changed {
		t.Errorf("thaw: %+v", reply)
	}
	index, indexBody := pathAndBody(repo, "index", "an index")
	want("module/mail2", "POST", index, indexBody, 200)
}
