package integration

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/events"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// TestWhoMayDoWhat goes through the permissions over HTTP, in the order in which
// a repository lives: with the Accept header that restic sends with all but create,
// and as rustic and others do, who send it with lists alone.
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	t.Run("Accept with each request", func(t *testing.T) {
		t.Parallel()
		testWhoMayDoWhat(t, "")
	})
	t.Run("Accept with lists alone", func(t *testing.T) {
		t.Parallel()
		testWhoMayDoWhat(t, "*/*")
	})
}

// testWhoMayDoWhat sends that Accept header, unless it is empty, with requests of
// restic for objects.
func testWhoMayDoWhat(t *testing.T, acceptObject string) {
	c := newCluster(t)
	c.Grant(wikiUUID, mailUUID) // lets nobody in: the app types differ
	c.AddModules(redistest.Module{ID: "mail5", UUID: "55555555-0000-4000-8000-000000000005"})
	c.Grant("55555555-0000-4000-8000-000000000005", mailUUID)
	g := c.serve(t)

	owner, stranger, grantee, node := g.module("mail1"), g.module("wiki7"), g.module("mail5"), g.node()
	nobody := owner.with("", "")
	pack, packName := blob(1000)
	lock, lockName := blob(200)
	theirs, theirLock := blob(201)
	base := "/" + localDest + "/" + mailRepo
	const webdav = "*/*"

	for _, step := range []struct {
		name         string
		caller       caller
		method, path string
		body         []byte
		accept       string // empty: restic's
		status       int
	}{
		{"nobody", nobody, "GET", base + "/config", nil, "", 401},
		{"nobody, WebDAV", nobody, "OPTIONS", "/", nil, webdav, 401},
		{"user default", owner.with("default", "node/1"), "GET", base + "/config", nil, "", 401},
		{"the cluster's own user", callerOf(g.url, "cluster"), "GET", base + "/config", nil, "", 401},
		{"the API server", callerOf(g.url, "api-server"), "GET", base + "/config", nil, "", 401},
		{"a module without its prefix", owner.with("mail1", owner.password), "GET", base + "/config", nil, "", 401},

		{"before init there is none", owner, "HEAD", base + "/config", nil, "", 404},
		{"the probe, by nobody", nobody, "GET", "/" + localDest + "/_probe_rest_404", nil, "", 404},
		{"the probe, HEAD", nobody, "HEAD", "/" + localDest + "/_probe_rest_404", nil, webdav, 404},
		{"the probe is only asked", nobody, "POST", "/" + localDest + "/_probe_rest_404", pack, "", 401},
		{"the probe below a repository is none", nobody, "GET", base + "/_probe_rest_404", nil, "", 401},

		{"a stranger's create", stranger, "POST", base + "/?create=true", nil, webdav, 403},
		{"a grantee's create", grantee, "POST", base + "/?create=true", nil, webdav, 403},
		{"create, without Accept as restic does", owner, "POST", base + "/?create=true", nil, webdav, 200},
		{"create again", owner, "POST", base + "/?create=true", nil, webdav, 200},
		{"config", owner, "POST", base + "/config", aConfig, "", 200},
		{"the same config", owner, "POST", base + "/config", aConfig, "", 200},
		{"another config", owner, "POST", base + "/config", otherConfig, "", 403},
		{"config deleted", owner, "DELETE", base + "/config", nil, "", 403},
		{"a pack", owner, "POST", base + "/data/" + packName, pack, "", 200},
		{"the pack again", owner, "POST", base + "/data/" + packName, pack, "", 200},
		{"the pack deleted", owner, "DELETE", base + "/data/" + packName, nil, "", 403},
		{"a lock", owner, "POST", base + "/locks/" + lockName, lock, "", 200},
		{"the lock's list", owner, "GET", base + "/locks/", nil, "", 200},
		{"the lock deleted", owner, "DELETE", base + "/locks/" + lockName, nil, "", 200},
		{"the lock deleted again", owner, "DELETE", base + "/locks/" + lockName, nil, "", 200},
		{"locks deleted", owner, "DELETE", base + "/locks/", nil, "", 403},
		{"the repository deleted", owner, "DELETE", base + "/", nil, "", 403},

		{"a stranger reads", stranger, "GET", base + "/data/" + packName, nil, "", 403},
		{"a stranger asks", stranger, "HEAD", base + "/config", nil, "", 403},
		{"a stranger lists", stranger, "GET", base + "/data/", nil, "", 403},
		{"a stranger locks", stranger, "POST", base + "/locks/" + lockName, lock, "", 403},
		{"a module above its repository", owner, "GET", "/" + localDest + "/", nil, "", 403},
		{"a module at the root", owner, "GET", "/", nil, "", 403},
		{"its repository as another app", owner, "GET", "/" + localDest + "/wiki/" + mailUUID + "/config", nil, "", 403},

		{"a grantee reads", grantee, "GET", base + "/data/" + packName, nil, "", 200},
		{"a grantee lists", grantee, "GET", base + "/data/", nil, "", 200},
		{"a grantee locks", grantee, "POST", base + "/locks/" + theirLock, theirs, "", 200},
		{"a grantee unlocks", grantee, "DELETE", base + "/locks/" + theirLock, nil, "", 200},
		{"a grantee writes", grantee, "POST", base + "/data/" + packName, pack, "", 403},
		{"a grantee deletes", grantee, "DELETE", base + "/data/" + packName, nil, "", 403},
		{"a grantee's config", grantee, "POST", base + "/config", aConfig, "", 403},

		{"a module looks at its repository", owner, "GET", base + "/data/", nil, webdav, 200},
		{"a module looks at its repository as it is stored", owner, "GET", base + "/data/" + packName[:2] + "/" + packName, nil, webdav, 200},
		{"a module looks for its manifest", owner, "GET", base + ".json", nil, webdav, 404},
		{"a module looks at the destinations", owner, "GET", "/", nil, webdav, 200},
		{"a module looks at a destination", owner, "GET", "/" + localDest + "/", nil, webdav, 403},
		{"a module lists everything", owner, "PROPFIND", "/", nil, webdav, 403},
		{"a grantee looks", grantee, "GET", base + "/data/", nil, webdav, 200},
		{"a stranger looks", stranger, "GET", base + "/data/", nil, webdav, 403},
		{"a stranger looks at the destinations", stranger, "OPTIONS", "/", nil, webdav, 200},
		{"a module's PUT", owner, "PUT", base + "/data/" + packName, pack, webdav, 403},
		{"a module's POST beside the protocol", owner, "POST", base + "/notes", pack, webdav, 403},
		{"a module's POST of a manifest", owner, "POST", base + ".json", pack, webdav, 403},
		{"a module's DELETE beside the protocol", owner, "DELETE", base + "/locks/" + lockName + ".txt", nil, webdav, 403},
		{"a module's DELETE of a manifest", owner, "DELETE", base + ".json", nil, webdav, 403},
		{"a node looks at a repository", node, "GET", base + "/data/", nil, webdav, 200},
		{"a node's manifest", node, "PUT", base + ".json", pack, webdav, 201},
		{"a module reads it", owner, "GET", base + ".json", nil, webdav, 200},
		{"a module writes it", owner, "PUT", base + ".json", pack, webdav, 403},
		{"a stranger reads it", stranger, "GET", base + ".json", nil, webdav, 403},
		{"a node lists everything", node, "PROPFIND", "/", nil, webdav, 403},
		{"a node's OPTIONS", node, "OPTIONS", "/", nil, webdav, 200},
		{"a node puts a pack", node, "PUT", base + "/data/" + packName, pack, webdav, 201},
		{"a node puts another content", node, "PUT", base + "/data/" + packName, lock, webdav, 400},
		{"a node puts it where it is stored", node, "PUT", base + "/data/" + packName[:2] + "/" + packName, pack, webdav, 201},
		{"a node puts it into a wrong shard", node, "PUT", base + "/data/zz/" + packName, pack, webdav, 403},
		{"a node moves it", node, "MOVE", base + "/data/" + packName, nil, webdav, 400},
		{"a node deletes the packs", node, "DELETE", base + "/data/", nil, webdav, 403},
		{"a node deletes the repository", node, "DELETE", base, nil, webdav, 403},
		{"a node deletes all of an app", node, "DELETE", "/" + localDest + "/mail", nil, webdav, 403},

		{"a method nobody has", node, "BREW", base + "/data/" + packName, nil, "", 405},
		{"a method nobody has, by a module", owner, "BREW", base + "/data/" + packName, nil, "", 403},
		{"HEAD of a list", node, "HEAD", base + "/data/", nil, "", 405},
		{"POST of a list", node, "POST", base + "/data/", pack, "", 405},
		{"a type restic has not", node, "GET", base + "/packs/" + packName, nil, "", 404},
		{"an unknown destination", node, "GET", "/" + moreDest + "/" + mailRepo + "/config", nil, "", 404},
		{"a node reads", node, "GET", base + "/data/" + packName, nil, "", 200},
		{"a node replaces config", node, "POST", base + "/config", otherConfig, "", 200},
		{"a node deletes", node, "DELETE", base + "/data/" + packName, nil, "", 200},
		{"it is gone", node, "HEAD", base + "/data/" + packName, nil, "", 404},
		{"what is gone is deleted", node, "DELETE", base + "/data/" + packName, nil, "", 200},
		{"a node deletes a whole repository", node, "DELETE", base + "/", nil, "", 403},
		{"a grantee lists what is empty", grantee, "GET", base + "/data/", nil, "", 200},
	} {
		accept := step.accept
		if accept == "" && isResticObject(step.method, step.path) {
			accept = acceptObject
		}
		var headers []string
		if accept != "" {
			headers = []string{"Accept", accept}
		}
		answer := step.caller.call(t, step.method, step.path, step.body, headers...)
		if answer.status != step.status {
			t.Errorf("%s: %d, want %d", step.name, answer.status, step.status)
		}
		if step.status == http.StatusUnauthorized && answer.header.Get("WWW-Authenticate") != `Basic realm="ns8-rclone-gateway"` {
			t.Errorf("%s: WWW-Authenticate is %q", step.name, answer.header.Get("WWW-Authenticate"))
		}
		if server := answer.header.Get("Server"); server != "" {
			t.Errorf("%s: Server is %q, which restic judges by", step.name, server)
		}
	}
}

// isResticObject reports whether a request is restic's by its method and path alone.
func isResticObject(method, path string) bool {
	_, inside, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	_, typ, name, known := object.Parse(inside)
	isObject := known && (typ == object.Config || name != "")
	return isObject && slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete}, method)
}

// TestRusticBacksUpWithoutAccept sends rustic's requests: objects with neither Accept
// nor Content-Type, whole or by ranges, and lists with the type of version 2.
func TestRusticBacksUpWithoutAccept(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	base := "/" + localDest + "/" + mailRepo
	anything := []string{"Accept", "*/*", "User-Agent", "rustic"}
	call := func(status int, method, path string, body []byte, more ...string) *reply {
		t.Helper()
		return g.module("mail1").want(t, status, method, base+path, body, slices.Concat(anything, more)...)
	}
	pack, packName := blob(3000)
	lock, lockName := blob(200)

	call(http.StatusNotFound, http.MethodHead, "/config", nil)
	call(http.StatusOK, http.MethodPost, "/?create=true", nil)
	call(http.StatusOK, http.MethodPost, "/config", aConfig)
	call(http.StatusOK, http.MethodHead, "/config", nil)
	call(http.StatusOK, http.MethodPost, "/data/"+packName, pack)
	if whole := call(http.StatusOK, http.MethodGet, "/data/"+packName, nil); !bytes.Equal(whole.body, pack) {
		t.Errorf("%d bytes of a pack", len(whole.body))
	}
	part := call(http.StatusPartialContent, http.MethodGet, "/data/"+packName, nil, "Range", "bytes=1000-1999")
	if !bytes.Equal(part.body, pack[1000:2000]) {
		t.Errorf("%d bytes of a part", len(part.body))
	}
	call(http.StatusOK, http.MethodPost, "/locks/"+lockName, lock)
	call(http.StatusOK, http.MethodDelete, "/locks/"+lockName, nil)
	list := call(http.StatusOK, http.MethodGet, "/data/", nil, "Accept", rest.MediaTypeV2)
	if want := fmt.Sprintf(`[{"name":%q,"size":%d}]`, packName, len(pack)); string(list.body) != want {
		t.Errorf("the list is %s", list.body)
	}
	call(http.StatusForbidden, http.MethodDelete, "/data/"+packName, nil)
	// A directory that nobody lists as restic's is WebDAV's, which a module may look at.
	if index := call(http.StatusOK, http.MethodGet, "/data/", nil); string(index.body) != packName[:2]+"/\n" {
		t.Errorf("over WebDAV the packs are %q", index.body)
	}
	call(http.StatusForbidden, http.MethodPost, "/data/", pack)
}

// TestNewsGetInAtTheirFirstRequest writes to Redis without a word and asks the
// gateway at once.
func TestNewsGetInAtTheirFirstRequest(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t, quiet)
	fresh := redistest.Module{ID: "fresh3", UUID: "33333333-0000-4000-8000-000000000003"}
	repo := "/" + localDest + "/fresh/" + fresh.UUID

	c.AddModules(fresh)
	g.module("fresh3").want(t, http.StatusOK, http.MethodPost, repo+"/?create=true", nil)
	g.module("fresh3").want(t, http.StatusOK, http.MethodPost, repo+"/config", aConfig)

	c.Do("ACL", "SETUSER", "module/fresh3", "resetpass", ">changed")
	c.SaveACLs()
	g.module("fresh3").with("module/fresh3", "changed").want(t, http.StatusOK, http.MethodHead, repo+"/config", nil)
	g.module("fresh3").want(t, http.StatusUnauthorized, http.MethodHead, repo+"/config", nil)

	c.AddLocalDestination(moreDest, t.TempDir())
	g.module("mail1").want(t, http.StatusOK, http.MethodPost, "/"+moreDest+"/"+mailRepo+"/?create=true", nil)

	g.module("mail1").want(t, http.StatusForbidden, http.MethodHead, "/"+localDest+"/mail/"+fresh.UUID+"/config", nil)
	c.Grant(mailUUID, fresh.UUID)
	g.module("mail1").want(t, http.StatusNotFound, http.MethodHead, "/"+localDest+"/mail/"+fresh.UUID+"/config", nil)

	// A module whose image is not called like it may use both names.
	const image = "collabora-online2"
	g.module("mail1").want(t, http.StatusForbidden, http.MethodPost, "/"+localDest+"/"+image+"/"+mailUUID+"/?create=true", nil)
	c.Do("HSET", catalog.ModuleEnvironmentKey("mail1"), catalog.FieldImageURL, "ghcr.io/nethserver/"+image+":1.2.3")
	g.module("mail1").want(t, http.StatusOK, http.MethodPost, "/"+localDest+"/"+image+"/"+mailUUID+"/?create=true", nil)
	g.module("mail1").want(t, http.StatusOK, http.MethodPost, "/"+localDest+"/"+mailRepo+"/?create=true", nil)
}

// quiet keeps a gateway from loading for any other reason than a request: no
// user of that name may subscribe, and the interval is long.
func quiet(opts *gateway.Options) {
	opts.Events = events.Options{Username: "nobody", Password: "nothing"}
	opts.RefreshInterval = patience * 100
}

// TestRemovedIsRefusedAfterItsEvent takes away what a gateway knows.
func TestRemovedIsRefusedAfterItsEvent(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t, func(opts *gateway.Options) { opts.RefreshInterval = patience * 100 })
	g.log.want(t, "subscribed to Redis events")
	base := "/" + localDest + "/" + mailRepo
	g.module("mail1").want(t, http.StatusOK, http.MethodPost, base+"/config", aConfig)
	status := func(c caller) int { return c.call(t, http.MethodHead, base+"/config", nil).status }
	c.RemoveModule("mail1")
	waitFor(t, "the module to be refused", func() bool { return status(g.module("mail1")) == http.StatusUnauthorized })
	c.RemoveDestination(localDest)
	waitFor(t, "the destination to be unknown", func() bool {
		return status(g.node()) == http.StatusNotFound
	})
	g.log.want(t, `"status":401`, "not authenticated: unknown user")
	g.log.want(t, `"status":404`, "no such destination")
}

// TestUsersThatRedisTurnedOff are refused whatever they send.
func TestUsersThatRedisTurnedOff(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.Do("ACL", "SETUSER", "module/mail1", "off")
	c.Do("ACL", "SETUSER", "module/wiki7", "nopass")
	c.Do("ACL", "SETUSER", "node/1", ">second password")
	c.SaveACLs()
	g := c.serve(t)
	path := "/" + localDest + "/" + mailRepo + "/config"
	g.module("mail1").want(t, http.StatusUnauthorized, http.MethodHead, path, nil)
	path = "/" + localDest + "/" + wikiRepo + "/config"
	for _, password := range []string{"", "anything", redistest.Password("module/wiki7")} {
		g.module("wiki7").with("module/wiki7", password).want(t, http.StatusUnauthorized, http.MethodHead, path, nil)
	}
	g.node().want(t, http.StatusNotFound, http.MethodHead, path, nil)
	g.node().with("node/1", "second password").want(t, http.StatusNotFound, http.MethodHead, path, nil)
	g.node().with("node/1", strings.ToUpper(redistest.Password("node/1"))).want(t, http.StatusUnauthorized, http.MethodHead, path, nil)
}

// TestHealthNeedsNoCredentials asks as a prober does.
func TestHealthNeedsNoCredentials(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	nobody := g.node().with("", "")
	for _, path := range []string{"/-/healthy", "/-/ready"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			nobody.want(t, http.StatusOK, method, path, nil)
		}
		nobody.want(t, http.StatusUnauthorized, http.MethodPost, path, nil)
	}
	nobody.want(t, http.StatusUnauthorized, http.MethodGet, "/-/other", nil)
	g.node().want(t, http.StatusNotFound, http.MethodGet, "/-/other", nil)
}
