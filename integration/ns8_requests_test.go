package integration

import (
	"bytes"
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pythonic are the headers that Python's requests sends by itself.
var pythonic = []string{"Accept", "*/*", "Accept-Encoding", "gzip, deflate", "User-Agent", "python-requests/2.31.0"}

// askNS8 is how NethServer 8 asks for three properties.
const askNS8 = `<?xml version="1.0"?>
<d:propfind xmlns:d="DAV:"><d:prop><d:getlastmodified/><d:getcontentlength/><d:resourcetype/></d:prop></d:propfind>`

// TestRequestsOfNethServer8 plays what the scripts of a node and of the leader send,
// in the order in which they do: readiness, a backup with its manifest, the cluster
// backup, and the listings.
func TestRequestsOfNethServer8(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	node, module, wiki := g.node(), g.module("mail1"), g.module("wiki7")
	send := func(who caller, want int, method, path, body string, headers ...string) *reply {
		t.Helper()
		var content []byte
		if body != "" {
			content = []byte(body)
		}
		return who.want(t, want, method, path, content, append(slices.Clone(pythonic), headers...)...)
	}
	base := "/" + localDest

	// rclonegwctl wait-webdav, and the readiness of a module's client.
	ready := send(node, 200, "OPTIONS", "/", "")
	if dav := ready.header.Get("Dav"); dav != "1" {
		t.Errorf("DAV: %q", dav)
	}
	send(module, 200, "OPTIONS", "/", "")
	send(node.with("", ""), 401, "OPTIONS", "/", "")

	// A probe of a destination takes 200 and 404 for a gateway that works.
	for _, path := range []string{base, base + "/", base + "/mail", base + "/" + mailRepo, base + "/" + mailRepo + "/config"} {
		answer, err := node.do(t.Context(), "HEAD", path, nil, pythonic...)
		if err != nil || answer.status != 200 && answer.status != 404 {
			t.Errorf("HEAD %s: %+v, %v", path, answer, err)
		}
	}
	send(node, 404, "HEAD", base+"/_probe_rest_404", "")

	// run-backup on a node: the module's repository is there, or not yet; the manifest
	// comes with a MKCOL of which nobody looks at the status.
	manifest := base + "/" + mailRepo + ".json"
	send(node, 404, "GET", manifest, "")
	send(node, 201, "MKCOL", base+"/mail", "")
	send(node, 201, "PUT", manifest, `{"module_id":"mail1","success":false}`)
	module.want(t, 200, "POST", base+"/"+mailRepo+"/config", aConfig)
	send(node, 405, "MKCOL", base+"/mail", "")
	const text = `{"module_id":"mail1","module_ui_name":"Pöst","timestamp":1767225600,"success":true}`
	send(node, 201, "PUT", manifest, text, "Content-Type", "application/json")
	for _, who := range []caller{node, module} {
		if got := send(who, 200, "GET", manifest, ""); string(got.body) != text || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s reads %q, %s", who.user, got.body, got.header.Get("Content-Type"))
		}
	}
	send(wiki, 403, "GET", manifest, "")
	send(module, 403, "PUT", manifest, "{}")

	// The leader's cluster backup: upload, again over it, list, download.
	backup := base + "/cluster-backup-5f0c7b1e-3b1f-4a58-9c3a-0a6de7a3b7ad.json.gz.gpg"
	old, _ := blob(5_000)
	sealed, _ := blob(70_000)
	send(node, 201, "PUT", backup, string(old))
	send(node, 201, "PUT", backup, string(sealed))
	if got := send(node, 200, "GET", backup, ""); !bytes.Equal(got.body, sealed) {
		t.Errorf("the cluster backup has %d bytes", len(got.body))
	}
	send(module, 403, "GET", backup, "")
	found := propfindNS8(t, send(node, 207, "PROPFIND", backup, askNS8, "Depth", "0", "Content-Type", "application/xml"))
	if modified := found[backup]; len(found) != 1 || modified == "" {
		t.Errorf("the cluster backup is shown as %q", found)
	} else if _, err := http.ParseTime(modified); err != nil {
		t.Errorf("it was modified at %q: %v", modified, err)
	}
	send(node, 404, "PROPFIND", base+"/absent", askNS8, "Depth", "0", "Content-Type", "application/xml")

	// read-backup-repositories and the listings: level by level, down to config.
	wantPaths(t, propfindNS8(t, send(node, 207, "PROPFIND", "/", askNS8, "Depth", "1")), "/", base+"/")
	wantPaths(t, propfindNS8(t, send(module, 207, "PROPFIND", "/", askNS8, "Depth", "1")), "/", base+"/")
	wantPaths(t, propfindNS8(t, send(module, 207, "PROPFIND", "/", askNS8, "Depth", "0")), "/")
	wantPaths(t, propfindNS8(t, send(node, 207, "PROPFIND", base+"/", askNS8, "Depth", "1")), base+"/", base+"/mail/", backup)
	wantPaths(t, propfindNS8(t, send(node, 207, "PROPFIND", base+"/mail/", askNS8, "Depth", "1")), base+"/mail/", base+"/"+mailRepo+"/", manifest)
	repo := propfindNS8(t, send(module, 207, "PROPFIND", base+"/"+mailRepo+"/", askNS8, "Depth", "1"))
	wantPaths(t, repo, base+"/"+mailRepo+"/", base+"/"+mailRepo+"/config")
	if repo[base+"/"+mailRepo+"/config"] == "" {
		t.Error("config has no date")
	}
	send(module, 403, "PROPFIND", base+"/", askNS8, "Depth", "1")
	send(module, 403, "PROPFIND", "/", askNS8, "Depth", "infinity")

	// What lies on the disk is what another program left, too: nothing is cached.
	writeFiles(t, filepath.Join(c.dir, wikiRepo), map[string]string{"config": "by rclone"})
	wantPaths(t, propfindNS8(t, send(wiki, 207, "PROPFIND", base+"/"+wikiRepo, askNS8, "Depth", "1")), base+"/"+wikiRepo+"/", base+"/"+wikiRepo+"/config")
	if head := wiki.want(t, 200, "HEAD", base+"/"+wikiRepo+"/config", nil); head.header.Get("Content-Length") != "9" {
		t.Errorf("restic sees %s bytes", head.header.Get("Content-Length"))
	}
}

// propfindNS8 returns when what a multistatus shows was modified, by its path.
func propfindNS8(t *testing.T, answer *reply) map[string]string {
	t.Helper()
	var status struct {
		Responses []struct {
			Href     string   `xml:"DAV: href"`
			Modified []string `xml:"DAV: propstat>prop>getlastmodified"`
		} `xml:"DAV: response"`
	}
	if err := xml.Unmarshal(answer.body, &status); err != nil {
		t.Errorf("%v in %s", err, answer.body)
	}
	found := make(map[string]string)
	for _, response := range status.Responses {
		path, err := url.PathUnescape(response.Href)
		if err != nil {
			t.Errorf("href %q: %v", response.Href, err)
		}
		found[path] = strings.Join(response.Modified, "")
	}
	return found
}

func wantPaths(t *testing.T, found map[string]string, want ...string) {
	t.Helper()
	var got []string
	for path := range found {
		got = append(got, path)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("PROPFIND shows %q; want %q", got, want)
	}
}

// TestBadInputOverWebDAV sends what no client sends, and looks whether anything was
// stored or told.
func TestBadInputOverWebDAV(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.AddLocalDestination(moreDest, t.TempDir())
	g := c.serve(t)
	node, module := g.node(), g.module("mail1")
	base := "/" + localDest
	node.want(t, 201, "PUT", base+"/there", []byte("there"), pythonic...)
	module.want(t, 200, "POST", base+"/"+mailRepo+"/config", aConfig)
	before := readFiles(t, c.dir)
	laughs := `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><propfind xmlns="DAV:"><prop>&b;</prop></propfind>`
	for _, tt := range []struct {
		name, method, path, body string
		headers                  []string
		want                     int
	}{
		{"a bomb of XML", "PROPFIND", base + "/", laughs, []string{"Depth", "1"}, 400},
		{"a bomb of XML by a module", "PROPFIND", "/", laughs, []string{"Depth", "0"}, 400},
		{"nested deeply", "PROPFIND", base + "/", strings.Repeat("<a>", 20_000), []string{"Depth", "1"}, 400},
		{"140 MB of XML", "PROPFIND", base + "/", strings.Repeat("<!-- padding -->", 140<<16), []string{"Depth", "1"}, 413},
		{"no depth", "PROPFIND", base + "/", "", nil, 403},
		{"all depths", "PROPFIND", base + "/", "", []string{"Depth", "infinity"}, 403},
		{"another host", "MOVE", base + "/there", "", []string{"Destination", "http://evil.example" + base + "/x"}, 502},
		{"another destination", "MOVE", base + "/there", "", []string{"Destination", "/" + moreDest + "/x"}, 502},
		{"another destination, copied", "COPY", base + "/there", "", []string{"Destination", g.url + "/" + moreDest + "/x"}, 502},
		{"above the root", "MOVE", base + "/there", "", []string{"Destination", base + "/../" + moreDest + "/x"}, 400},
		{"above the root, encoded", "MOVE", base + "/there", "", []string{"Destination", base + "/%2e%2e/x"}, 400},
		{"an encoded slash", "MOVE", base + "/there", "", []string{"Destination", base + "/..%2fx"}, 400},
		{"no URL", "MOVE", base + "/there", "", []string{"Destination", "http://[::1"}, 400},
		{"an opaque URL", "MOVE", base + "/there", "", []string{"Destination", "mailto:x"}, 400},
		{"nowhere", "MOVE", base + "/there", "", nil, 400},
		{"onto itself", "MOVE", base + "/there", "", []string{"Destination", base + "/there"}, 403},
		{"onto itself, written otherwise", "MOVE", base + "/there", "", []string{"Destination", base + "/%74here"}, 403},
		{"a file becomes a config", "MOVE", base + "/there", "", []string{"Destination", base + "/" + mailRepo + "/config"}, 403},
		{"a repository moves", "MOVE", base + "/" + mailRepo, "", []string{"Destination", base + "/mine"}, 403},
		{"onto a directory", "PUT", base + "/mail", "x", nil, 405},
		{"onto a directory with a slash", "PUT", base + "/mail/", "x", nil, 405},
		{"onto the destination", "PUT", base, "x", nil, 405},
		{"onto everything", "PUT", "/", "x", nil, 405},
		{"a destination is made", "MKCOL", "/b6f0639c-4276-5b7b-8752-eda8eda282db", "", nil, 404},
		{"MKCOL with a body", "MKCOL", base + "/new", "<mkcol/>", nil, 415},
		{"a part", "PUT", base + "/there", "x", []string{"Content-Range", "bytes 0-0/5"}, 400},
		{"a condition that lies", "PUT", base + "/there", "x", []string{"If-Match", `"lie"`}, 412},
		{"a creation of what is there", "PUT", base + "/there", "x", []string{"If-None-Match", "*"}, 412},
		{"a lock that nobody holds", "DELETE", base + "/there", "", []string{"If", "(<opaquelocktoken:1>)"}, 412},
		{"a config's condition that lies", "PUT", base + "/" + mailRepo + "/config", "x", []string{"If-None-Match", "*"}, 412},
		{"a lock is taken", "LOCK", base + "/there", "<lockinfo/>", nil, 405},
		{"a name too long", "PUT", base + "/" + strings.Repeat("n", 300), "x", nil, 400},
		{"the marker", "PUT", base + "/.rclone-gateway-destination", "x", nil, 400},
		{"the marker is read", "GET", base + "/.rclone-gateway-destination", "", nil, 400},
		{"a NUL", "GET", base + "/a%00b", "", nil, 404},
		{"a header in a name, read", "GET", base + "/x%0d%0aX-Injected:%20yes", "", nil, 404},
		{"a header in a name, listed", "PROPFIND", base + "/x%0d%0aX-Injected:%20yes", "", []string{"Depth", "0"}, 404},
		{"a dot segment", "GET", base + "/mail/%2e%2e/there", "", nil, 404},
		{"two slashes", "PUT", base + "//x", "x", nil, 404},
	} {
		who := node
		if strings.HasSuffix(tt.name, "by a module") {
			who = module
		}
		var content []byte
		if tt.body != "" {
			content = []byte(tt.body)
		}
		answer, err := who.do(t.Context(), tt.method, tt.path, bytes.NewReader(content), append(slices.Clone(pythonic), tt.headers...)...)
		if err != nil && tt.want == 413 && strings.Contains(err.Error(), "write") {
			continue // the connection was closed before all of it was sent
		}
		if err != nil || answer.status != tt.want {
			t.Errorf("%s: %+v, %v; want %d", tt.name, answer, err, tt.want)
			continue
		}
		if answer.header.Get("X-Injected") != "" || bytes.Contains(answer.body, []byte(c.dir)) {
			t.Errorf("%s: answers %v %s", tt.name, answer.header, answer.body)
		}
	}
	if after := readFiles(t, c.dir); !maps.Equal(before, after) {
		t.Errorf("something was stored: %q; before it was %q", after, before)
	}
	infinite := node.want(t, 403, "PROPFIND", base+"/", nil, append(slices.Clone(pythonic), "Depth", "infinity")...)
	if !bytes.Contains(infinite.body, []byte("<D:propfind-finite-depth/>")) {
		t.Errorf("the refusal does not say why: %s", infinite.body)
	}
}
