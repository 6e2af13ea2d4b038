package integration

import (
	"slices"
	"strings"
	"testing"
)

// testWebDAV does what a client of WebDAV does with files and directories, on the
// storage of moreDest.
func testWebDAV(t *testing.T, g *served) {
	node := g.node()
	send := func(want int, method, path, body string, headers ...string) *reply {
		t.Helper()
		return node.want(t, want, method, path, []byte(body), append(slices.Clone(pythonic), headers...)...)
	}
	shows := func(path, depth string, want ...string) {
		t.Helper()
		wantPaths(t, propfindNS8(t, send(207, "PROPFIND", path, askNS8, "Depth", depth)), want...)
	}
	base := "/" + moreDest + "/webdav"
	const file, name = "/note%20%C3%A4%20100%25.json", "/note ä 100%.json"
	send(201, "MKCOL", base, "")
	send(201, "PUT", base+file, `{"version":1}`)
	send(405, "MKCOL", base, "")
	send(412, "PUT", base+file, `{}`, "If-None-Match", "*")
	shows(base, "1", base+"/", base+name)
	shows(base+file, "0", base+name)
	shows(base+file, "1", base+name)

	// A replaced file has its new size at once, everywhere.
	send(201, "PUT", base+file, `{"version":"two"}`)
	if got := send(206, "GET", base+file, "", "Range", "bytes=2-8"); string(got.body) != "version" {
		t.Errorf("a part reads %q", got.body)
	}
	if list := send(207, "PROPFIND", base, "", "Depth", "1"); !strings.Contains(string(list.body), "<D:getcontentlength>17</D:getcontentlength>") {
		t.Errorf("the listing is %s", list.body)
	}

	send(201, "COPY", base+file, "", "Destination", base+"/copy")
	send(201, "MOVE", base+file, "", "Destination", base+"/moved")
	send(204, "MOVE", base+"/moved", "", "Destination", base+"/copy")
	send(404, "GET", base+"/moved", "")
	shows(base, "1", base+"/", base+"/copy")
	send(201, "MOVE", base, "", "Destination", base+"-away")
	send(404, "PROPFIND", base, askNS8, "Depth", "1")
	send(201, "COPY", base+"-away/", "", "Destination", base)
	if got := send(200, "GET", base+"/copy", ""); string(got.body) != `{"version":"two"}` {
		t.Errorf("the copy reads %q", got.body)
	}
	for _, dir := range []string{base, base + "-away"} {
		send(204, "DELETE", dir, "")
		send(404, "PROPFIND", dir+"/", askNS8, "Depth", "0")
	}
}
