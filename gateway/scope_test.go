package gateway

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/past"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
)

const (
	destID   = "76d73f29-7446-5baf-a700-3ad39be75475"
	ownUUID  = "0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11"
	srcUUID  = "5a6d3c1e-1111-4222-8333-0123456789ab"
	digits64 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
)

var (
	aNode   = &catalog.Principal{Name: "node/1", Role: catalog.RoleNode, ID: "1"}
	aModule = &catalog.Principal{
		Name: "module/mail2", Role: catalog.RoleModule, ID: "mail2",
		Own:     []string{"mail/" + ownUUID, "mailserver/" + ownUUID},
		Granted: []string{"mail/" + srcUUID},
	}
	homeless = &catalog.Principal{Name: "module/new1", Role: catalog.RoleModule, ID: "new1"}
)

// TestWhoMayDoWhat is the whole permission matrix: every principal, on every
// kind of repository, with every operation of the protocol, with the Accept header
// that restic sends and without one. Without it, what names no object is WebDAV's.
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	operations := []struct {
		name, method, object string
		// Who may: a letter each for own, granted, stranger's repository of a
		// module, and for a node.
		may string
	}{
		{"ask for the config", "HEAD", "config", "og-n"},
		{"read the config", "GET", "config", "og-n"},
		{"create the repository", "POST", "?create=true", "o--n"},
		{"create the config", "POST", "config", "o--n"},
		{"delete the config", "DELETE", "config", "---n"},
		{"delete the repository", "DELETE", "", "---n"},
		{"post to the repository without create", "POST", "", "---n"},
		{"put a pack", "PUT", "data/" + digits64, "---n"},
		{"patch a pack", "PATCH", "data/" + digits64, "---n"},
		{"delete the list of locks", "DELETE", "locks/", "---n"},

		{"list packs", "GET", "data/", "og-n"},
		{"read a pack", "GET", "data/" + digits64, "og-n"},
		{"stat a pack", "HEAD", "data/" + digits64, "og-n"},
		{"save a pack", "POST", "data/" + digits64, "o--n"},
		{"delete a pack", "DELETE", "data/" + digits64, "---n"},

		{"list keys", "GET", "keys/", "og-n"},
		{"read a key", "GET", "keys/" + digits64, "og-n"},
		{"save a key", "POST", "keys/" + digits64, "o--n"},
		{"delete a key", "DELETE", "keys/" + digits64, "---n"},

		{"list snapshots", "GET", "snapshots/", "og-n"},
		{"read a snapshot", "GET", "snapshots/" + digits64, "og-n"},
		{"save a snapshot", "POST", "snapshots/" + digits64, "o--n"},
		{"delete a snapshot", "DELETE", "snapshots/" + digits64, "---n"},

		{"list indexes", "GET", "index/", "og-n"},
		{"read an index", "GET", "index/" + digits64, "og-n"},
		{"save an index", "POST", "index/" + digits64, "o--n"},
		{"delete an index", "DELETE", "index/" + digits64, "---n"},

		{"list locks", "GET", "locks/", "og-n"},
		{"read a lock", "GET", "locks/" + digits64, "og-n"},
		{"save a lock", "POST", "locks/" + digits64, "og-n"},
		{"delete a lock", "DELETE", "locks/" + digits64, "og-n"},
	}
	callers := []struct {
		name      string
		principal *catalog.Principal
		repos     []string
		letter    string
	}{
		{"a module in its own repository", aModule, aModule.Own, "o"},
		{"a module in a granted repository", aModule, aModule.Granted, "g"},
		{"a module in a repository of somebody else", aModule, []string{
			"mail/" + strings.Replace(srcUUID, "5a", "5b", 1), "traefik/" + ownUUID, "mailserver/" + srcUUID,
			"mai/" + ownUUID, "mail/" + ownUUID + "0", "mail/" + strings.ToUpper(ownUUID), "Mail/" + ownUUID,
		}, "s"},
		{"a module without UUID", homeless, []string{"new/" + ownUUID, "mail/" + ownUUID}, "s"},
		{"no known role", &catalog.Principal{Name: "cluster"}, []string{"mail/" + ownUUID}, "s"},
		{"a node", aNode, []string{"mail/" + ownUUID, "anything/" + srcUUID}, "n"},
	}
	for _, c := range callers {
		for _, op := range operations {
			t.Run(c.name+" may "+op.name, func(t *testing.T) {
				for _, repo := range c.repos {
					for _, accept := range []string{rest.MediaTypeV2, "", "*/*"} {
						r := httptest.NewRequest(op.method, "/"+destID+"/"+repo+"/"+op.object, nil)
						r.Header.Set("Accept", accept)
						req := parseRequest(r)
						if !req.known {
							t.Fatalf("%s is not understood", r.URL)
						}
						got := access.Allow(access.Relate(c.principal, req.inside), req.operation)
						if want := strings.Contains(op.may, c.letter); got != want {
							t.Errorf("%s %s, Accept %q: allowed %v, want %v", op.method, r.URL, accept, got, want)
						}
						isObject := op.object == "config" || strings.HasSuffix(op.object, digits64)
						resticMethod := op.method != http.MethodPatch
						want := accept == rest.MediaTypeV2 || isObject && resticMethod || req.create
						if req.restic != want {
							t.Errorf("%s %s, Accept %q: restic's %v, want %v", op.method, r.URL, accept, req.restic, want)
						}
					}
				}
			})
		}
	}
}

// TestWhoMayDoWhatOverWebDAV is the same matrix of WebDAV: who may look, and who may
// change something.
func TestWhoMayDoWhatOverWebDAV(t *testing.T) {
	t.Parallel()
	const own, granted, other = "mail/" + ownUUID, "mail/" + srcUUID, "traefik/" + srcUUID
	for _, tt := range []struct {
		name  string
		paths []string
		// Who may look and who may change: a letter each for the module, a module
		// without UUID and a node.
		look, change string
	}{
		{"the list of destinations", []string{"/"}, "mhn", "n"},
		{"a destination", []string{"/" + destID, "/" + destID + "/"}, "n", "n"},
		{"all repositories of an app", []string{"/" + destID + "/mail", "/" + destID + "/mail/"}, "n", "n"},
		{"its own and granted repositories", []string{
			"/" + destID + "/" + own, "/" + destID + "/" + own + "/", "/" + destID + "/" + own + "/data/", "/" + destID + "/" + own + "/data/ba",
			"/" + destID + "/" + own + "/data/ba/x", "/" + destID + "/" + own + "/any/thing",
			"/" + destID + "/" + granted, "/" + destID + "/" + granted + "/snapshots/", "/another-destination/" + own + "/",
		}, "mn", "n"},
		{"their manifests", []string{"/" + destID + "/" + own + ".json", "/" + destID + "/" + granted + ".json"}, "mn", "n"},
		{"what is somebody else's", []string{
			"/" + destID + "/" + other, "/" + destID + "/" + other + "/", "/" + destID + "/" + other + ".json", "/" + destID + "/" + own + "x",
			"/" + destID + "/" + own + ".jsonx", "/" + destID + "/" + own + ".json/x", "/" + destID + "/" + own + ".JSON", "/" + destID + "/" + own + "-old/",
			"/" + destID + "/cluster-backup-" + srcUUID + ".json.gz.gpg", "/" + destID + "/Mail/" + ownUUID + "/", "/" + destID + "/x/" + own + "/",
		}, "n", "n"},
		{"paths encoded in another way", []string{
			"/" + destID + "/m%61il/" + ownUUID + "/", "/" + destID + "/" + own + "/%61", "/%37" + destID[1:] + "/" + own + "/", "/" + destID + "/mail/" + ownUUID + "%2ejson",
		}, "n", "n"},
	} {
		for _, path := range tt.paths {
			for method, may := range map[string]string{
				"OPTIONS": tt.look, "GET": tt.look, "HEAD": tt.look, "PROPFIND": tt.look,
				"PUT": tt.change, "DELETE": tt.change, "MKCOL": tt.change, "MOVE": tt.change, "COPY": tt.change,
				"PROPPATCH": tt.change, "LOCK": tt.change, "UNLOCK": tt.change, "POST": tt.change, "NONSENSE": tt.change,
			} {
				r := httptest.NewRequest(method, path, nil)
				req := parseRequest(r)
				if req.restic || !req.valid && !req.root {
					t.Errorf("%s %s (%s) is not taken for WebDAV's", method, path, tt.name)
				}
				for letter, principal := range map[string]*catalog.Principal{
					"m": aModule, "h": homeless, "n": aNode, "-": {Name: "cluster"},
				} {
					if got, want := access.Allow(access.Relate(principal, req.inside), req.operation), strings.Contains(may, letter); got != want {
						t.Errorf("%s %s (%s) by %s: allowed %v, want %v", method, path, tt.name, principal.Name, got, want)
					}
				}
			}
		}
	}
}

// TestEveryPermissionIsDecided keeps the table and the enumerations together: a
// stranger may see which destinations there are, and what nobody may would be a
// forgotten row.
func TestEveryPermissionIsDecided(t *testing.T) {
	t.Parallel()
	for a := range operation.Probe {
		if access.Allow(access.Nobody, a) || access.Allow(access.Stranger, a) != (a == operation.Roots) {
			t.Errorf("%d: a stranger may", a)
		}
		if !access.Allow(access.Operator, a) {
			t.Errorf("%d: not even a node may", a)
		}
		if access.Allow(access.Grantee, a) && !access.Allow(access.Owner, a) {
			t.Errorf("%d: a grant gives more than ownership", a)
		}
	}
	for _, a := range []operation.Operation{operation.Remove, operation.AddKey, operation.Other, operation.Put, operation.Change} {
		if access.Allow(access.Owner, a) || access.Allow(access.Grantee, a) {
			t.Errorf("%d: a module may", a)
		}
	}
}

func TestUnusualPathsBelongToNobody(t *testing.T) {
	t.Parallel()
	own := "/" + destID + "/mail/" + ownUUID
	long := strings.Repeat("a", 10<<10)
	for name, target := range map[string]string{
		"dot dot":                    "/" + destID + "/mail/../mail/" + ownUUID + "/config",
		"dot dot out of locks":       own + "/locks/../config",
		"dot":                        "/" + destID + "/./mail/" + ownUUID + "/config",
		"encoded dots":               "/" + destID + "/mail/%2e%2e/mail/" + ownUUID + "/config",
		"encoded slash":              "/" + destID + "/mail%2F" + ownUUID + "/config",
		"encoded letter":             "/" + destID + "/m%61il/" + ownUUID + "/config",
		"double slash":               "/" + destID + "//mail/" + ownUUID + "/config",
		"leading double slash":       "//" + destID + "/mail/" + ownUUID + "/config",
		"NUL":                        own + "/config%00",
		"NUL in the app":             "/" + destID + "/mail%00/" + ownUUID + "/config",
		"upper case UUID":            "/" + destID + "/mail/" + strings.ToUpper(ownUUID) + "/config",
		"long segment":               "/" + destID + "/" + long + "/" + ownUUID + "/config",
		"trailing dot":               "/" + destID + "/mail./" + ownUUID + "/config",
		"trailing dot of the UUID":   "/" + destID + "/mail/" + ownUUID + "./config",
		"unknown type":               own + "/blobs/" + digits64,
		"name too short":             own + "/data/" + digits64[:63],
		"name in upper case":         own + "/data/" + strings.ToUpper(digits64),
		"sharded name":               own + "/data/ba/" + digits64,
		"config with a slash":        own + "/config/",
		"list without a slash":       own + "/data",
		"below an object":            own + "/data/" + digits64 + "/x",
		"destination alone":          "/" + destID,
		"destination and slash":      "/" + destID + "/",
		"app alone":                  "/" + destID + "/mail/",
		"root":                       "/",
		"backslash":                  "/" + destID + `/mail\` + ownUUID + "/config",
		"probe suffix further below": own + "/_probe_rest_404",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, target, nil)
			r.Header.Set("Accept", rest.MediaTypeV2)
			req := parseRequest(r)
			if req.probe {
				t.Errorf("%.80s is taken for the probe", target)
			}
			if access.Allow(access.Relate(aModule, req.inside), req.operation) {
				t.Errorf("%.80s: the module may", target)
			}
		})
	}
}

func TestOnlyTheExactProbeIsTheProbe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, target string
		want           bool
	}{
		{"GET", "/" + destID + "/_probe_rest_404", true},
		{"HEAD", "/" + destID + "/_probe_rest_404", true},
		{"POST", "/" + destID + "/_probe_rest_404", false},
		{"MOVE", "/" + destID + "/_probe_rest_404", false},
		{"GET", "/_probe_rest_404", false},
		{"GET", "/" + destID + "/mail/_probe_rest_404", false},
		{"GET", "/" + destID + "/x_probe_rest_404", false},
		{"GET", "/" + destID + "/_probe_rest_404/", false},
		{"GET", "/" + destID + "/%5fprobe_rest_404", false},
	} {
		if got := parseRequest(httptest.NewRequest(c.method, c.target, nil)).probe; got != c.want {
			t.Errorf("%s %s: probe %v, want %v", c.method, c.target, got, c.want)
		}
	}
}

func TestRestOrWebDAV(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method, inside, accept string
		want                         bool
	}{
		{"restic", "GET", "", rest.MediaTypeV2, true},
		{"one type of several", "GET", "", "text/html, " + rest.MediaTypeV2 + ";q=0.5", true},
		{"create without Accept", "POST", "?create=true", "", true},
		{"create among other parameters", "POST", "?a=b&create=true", "", true},
		{"create is a POST", "GET", "?create=true", "", false},
		{"another value", "POST", "?create=1", "", false},
		{"a browser", "GET", "", "*/*", false},
		{"the repository with version 1", "GET", "", rest.MediaTypeV1, false},
		{"no Accept", "PROPFIND", "", "", false},

		{"a list, version 1", "GET", "data/", rest.MediaTypeV1, true},
		{"a list, version 1 of several", "GET", "locks/", "text/html, " + rest.MediaTypeV1 + ";q=0.5", true},
		{"a list in a browser", "GET", "data/", "text/html,*/*", false},
		{"a list without Accept", "GET", "data/", "", false},
		{"an object in a browser", "GET", "data/" + digits64, "text/html,*/*", true},
		{"the properties of a list", "PROPFIND", "data/", rest.MediaTypeV1, false},
		{"the properties of an object", "PROPFIND", "data/" + digits64, "", false},
		{"an object by WebDAV", "PUT", "data/" + digits64, "", true},
		{"an object by WebDAV, as it is stored", "PUT", "data/ba/" + digits64, "", true},
		{"an object in a wrong shard", "PUT", "data/bb/" + digits64, "", false},
		{"what is stored, to be read", "GET", "data/ba/" + digits64, "", false},
		{"an object that moves", "MOVE", "locks/" + digits64, "", false},
		{"options of an object", "OPTIONS", "data/" + digits64, "", false},
		{"a name that is no hash", "DELETE", "locks/" + digits64[1:], "", false},
		{"an object, as it is stored", "DELETE", "data/ba/" + digits64, "", true},
		{"a shard", "DELETE", "data/ba", "", false},
		{"a directory without a slash", "DELETE", "locks", "", false},
	} {
		r := httptest.NewRequest(c.method, "/"+destID+"/mail/"+ownUUID+"/"+c.inside, nil)
		r.Header.Set("Accept", c.accept)
		if got := parseRequest(r).restic; got != c.want {
			t.Errorf("%s: restic %v, want %v", c.name, got, c.want)
		}
	}
}

// wantInside checks a request of WebDAV's that a module may make: it looks, at the list
// of destinations or at one of its own or granted repositories, as the wire has it.
func wantInside(t *testing.T, method string, u *url.URL, req request) {
	t.Helper()
	if !slices.Contains([]string{"OPTIONS", "GET", "HEAD", "PROPFIND"}, method) {
		t.Fatalf("%s %q: a module may change something", method, u)
	}
	if req.root && u.Path == "/" && u.RawPath == "" {
		return
	}
	repos := slices.Concat(aModule.Own, aModule.Granted)
	inside := func(repo string) bool {
		return req.stored == repo || req.stored == repo+".json" || strings.HasPrefix(req.stored, repo+"/")
	}
	if !slices.ContainsFunc(repos, inside) || u.RawPath != "" || u.Path != "/"+req.destination+"/"+req.inside || strings.Contains(u.Path, "..") {
		t.Fatalf("%s %q: allowed at %q", method, u, req.stored)
	}
}

// FuzzRequest follows a URL from the wire to the store's name: whatever a module
// may do stays below one of its own or granted repositories.
func FuzzRequest(f *testing.F) {
	own := "/" + destID + "/mail/" + ownUUID
	for _, target := range []string{
		own + "/config", own + "/data/" + digits64, own + "/locks/", own + "/?create=true",
		own + "@2026-11-29T20:00:00Z/config", own + "@2026-11-29T20:00:00Z/locks/" + digits64, own + "@2026-11-29T20:00:00Z/data/", own + "@2026-11-29T20:00:00Zx/config",
		own + "/../x/config", own + "//config", own + "/%2e%2e/config", "/" + destID + "/mail%2f" + ownUUID + "/config",
		own + "/locks/%00", "/" + destID + "/_probe_rest_404", "//" + destID, "/", "*", "http://host" + own + "/config",
	} {
		for _, method := range []string{"GET", "POST", "DELETE", "PROPFIND"} {
			f.Add(method, target)
		}
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		r := &http.Request{Method: method, URL: u, Header: http.Header{"Accept": {rest.MediaTypeV2}}}
		req := parseRequest(r)
		if bare := parseRequest(&http.Request{Method: method, URL: u}); bare.restic && (!bare.known || req.operation != bare.operation) {
			t.Fatalf("%s %q: without Accept it is another request", method, target)
		} else if !bare.restic && access.Allow(access.Relate(aModule, bare.inside), bare.operation) {
			wantInside(t, method, u, bare)
		}
		if !access.Allow(access.Relate(aModule, req.inside), req.operation) {
			return
		}
		if !req.known {
			t.Fatalf("%s %q: allowed and not understood", method, target)
		}
		repo, path := req.repo, "/"+req.destination+"/"+req.inside
		if req.view.asked {
			if req.refusedAsPast() != nil {
				return
			}
			repo, path = req.view.repo, strings.Replace(path, req.view.repo, past.Name(req.view.repo, req.view.at), 1)
		}
		if !slices.Contains(slices.Concat(aModule.Own, aModule.Granted), repo) {
			t.Fatalf("%s %q: allowed in repository %q", method, target, req.repo)
		}
		if u.Path != path || u.RawPath != "" || strings.Contains(u.Path, "..") {
			t.Fatalf("%s %q: something was normalised: %q", method, target, u.Path)
		}
		if req.operation == operation.RemoveLock && req.typ != object.Locks {
			t.Fatalf("%s %q: deletes %s", method, target, req.typ)
		}
	})
}
