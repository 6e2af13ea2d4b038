package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// TestStorage holds a whole gateway to its promises on each kind of server.
func TestStorage(t *testing.T) {
	t.Parallel()
	for _, kind := range storageKinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			s := kind.start(t)
			c := newCluster(t)
			add := func(id, secret string) {
				c.AddDestinations(s.destinations(t, id, secret)...)
			}
			empty := make([]string, 40) // each subtest of the suite wants a destination
			for i := range empty {
				empty[i] = fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
				add(empty[i], s.secret)
			}
			add(moreDest, s.secret)
			add(wrongDest, s.wrong)
			serve := s.gateway
			if kind.apart {
				serve = func(t *testing.T, c *cluster) *served { return c.serveApart(t) }
			}
			g := serve(t, c)
			t.Cleanup(func() { s.wantNoSecret(t, g.log) })

			t.Run("conformance", func(t *testing.T) {
				storetest.Run(t, func(t *testing.T) storage.Store {
					t.Helper()
					if len(empty) == 0 {
						t.Fatal("more subtests than destinations")
					}
					id := empty[0]
					empty = empty[1:]
					return storetest.HTTP(g.url+"/"+id, "node/1", redistest.Password("node/1"))
				}, append(kind.options, storetest.OverHTTP())...)
			})
			versions := kind.resticVersions
			if versions == nil {
				versions = []string{"RESTIC_0_18"}
			}
			for i, version := range versions {
				t.Run(version, func(t *testing.T) { testBackups(t, g, version, []string{mailRepo, wikiRepo}[i]) })
			}
			t.Run("requests", func(t *testing.T) { testRequests(t, g, s, kind.requests) })
			t.Run("an administrator's check", func(t *testing.T) { testCheck(t, g, s) })
			t.Run("WebDAV", func(t *testing.T) { testWebDAV(t, g) })
			t.Run("wrong credentials", func(t *testing.T) { testWrongCredentials(t, g) })
			t.Run("a truncated upload", func(t *testing.T) { testTruncated(t, g, s) })
			if kind.moves {
				t.Run("what a killed gateway leaves", func(t *testing.T) { testKilled(t, c, g, s) })
			}
			if s.over == nil { // the server below is one of those that are restarted
				t.Run("a restart during a backup over a slow link", func(t *testing.T) { testRestart(t, g, s) })
			}
		})
	}
}

// gateway starts one. A remote on top of another is found by rclone in what is
// global to a process, so there the gateway has its own.
func (s *storageServer) gateway(t *testing.T, c *cluster) *served {
	t.Helper()
	if s.over == nil {
		return c.serve(t)
	}
	return c.serveApart(t)
}

// serveApart is serve in a process of its own.
func (c *cluster) serveApart(t *testing.T) *served {
	t.Helper()
	d := c.start(t)
	return &served{url: d.url, log: d.out}
}

// wrongDest is the destination whose secret is wrong.
const wrongDest = "2f3c8e0d-bb02-4c2f-8f8f-8e2d7b4a0f13"

// wantNoSecret searches a gateway's log for what its sections keep.
func (s *storageServer) wantNoSecret(t *testing.T, log *logbook) {
	t.Helper()
	text := strings.Join(log.all(), "\n")
	for _, secret := range []string{s.secret, s.wrong} {
		// Of a key in several lines any would be too much.
		for line := range strings.SplitSeq(strings.ReplaceAll(secret, `\n`, "\n"), "\n") {
			if len(line) > 8 && !strings.HasPrefix(line, "-----") && strings.Contains(text, line) {
				t.Errorf("the log holds %.8q… of a secret", line)
			}
		}
	}
}

// storageTree is a tree to back up, with so many random bytes beside small files.
func storageTree(t *testing.T, random int) string {
	t.Helper()
	tree := filepath.Join(t.TempDir(), "tree")
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(tree, "encoding"), os.DirFS(filepath.Join(strings.TrimSpace(string(out)), "src", "encoding"))); err != nil {
		t.Fatal(err)
	}
	content, _ := blob(random)
	writeFile(t, filepath.Join(tree, "random"), content)
	return tree
}

// testBackups is the main job, as a module and, for what that may not, as the node.
func testBackups(t *testing.T, g *served, version, repo string) {
	module := newRestic(t, version, g.url+"/"+moreDest, repo, moduleOf(repo))
	node := newRestic(t, version, g.url+"/"+moreDest, repo, "node/1")
	tree := storageTree(t, 6<<20)
	module.seed(t, 2)
	module.run(t, "backup", tree)
	writeFile(t, filepath.Join(tree, "random"), []byte("no more"))
	module.run(t, "backup", tree)
	node.run(t, "check", "--read-data")
	node.run(t, "forget", "--keep-last", "1", "--prune")
	node.run(t, "check", "--read-data")
	module.wantRestored(t, tree)
	wantWhole(t, g, repo)
}

// moduleOf is the user that owns a repository.
func moduleOf(repo string) string {
	if repo == wikiRepo {
		return "module/wiki7"
	}
	return "module/mail1"
}

// wantWhole lists a repository and reads all of it: every object is what its
// name says.
func wantWhole(t *testing.T, g *served, repo string) {
	t.Helper()
	objects := 0
	for _, kind := range []string{"data", "index", "keys", "snapshots", "locks"} {
		dir := "/" + moreDest + "/" + repo + "/" + kind + "/"
		for name, size := range listed(t, g, dir) {
			objects++
			body := g.node().want(t, http.StatusOK, http.MethodGet, dir+name, nil).body
			if nameOf(body) != name || int64(len(body)) != size {
				t.Errorf("%s%s has %d bytes that hash to %s, and is listed with %d", dir, name, len(body), nameOf(body), size)
			}
		}
	}
	if objects < 4 {
		t.Errorf("%d objects are listed", objects)
	}
}

// listed returns the sizes of a directory's objects.
func listed(t *testing.T, g *served, dir string) map[string]int64 {
	t.Helper()
	var entries []struct {
		Name string
		Size int64
	}
	answer := g.node().want(t, http.StatusOK, http.MethodGet, dir, nil)
	if err := json.Unmarshal(answer.body, &entries); err != nil {
		t.Fatalf("list of %s: %v", dir, err)
	}
	sizes := map[string]int64{}
	for _, e := range entries {
		sizes[e.Name] = e.Size
	}
	return sizes
}

// requests is how often a gateway waits at most for a server's answer during one
// operation, over connections that are there.
type requests struct{ put, head, get, list, remove, absent int64 }

// atMost reports whether no figure is above that of other.
func (r requests) atMost(other requests) bool {
	return r.put <= other.put && r.head <= other.head && r.get <= other.get &&
		r.list <= other.list && r.remove <= other.remove && r.absent <= other.absent
}

// testRequests counts them, in a directory with a single object. On a busy machine
// a connection may have been closed for idleness meanwhile, and its successor costs
// more, or the gateway's own upkeep comes between: so the count is repeated for a minute.
func testRequests(t *testing.T, g *served, s *storageServer, want requests) {
	base := "/" + moreDest + "/" + mailRepo
	content, name := blob(1000)
	other, otherName := blob(1000)
	_, nobodys := blob(1000)
	count := func(status int, method, path string, body []byte) int64 {
		before := s.link.requests.Load()
		g.node().want(t, status, method, path, body)
		return s.link.requests.Load() - before
	}
	lock := base + "/locks/" + name
	g.node().want(t, http.StatusOK, http.MethodPost, base+"/?create=true", nil)
	var got requests
	for started := time.Now(); time.Since(started) < time.Minute; {
		// The first request may open a connection.
		g.node().want(t, http.StatusOK, http.MethodPost, base+"/locks/"+otherName, other)
		g.node().want(t, http.StatusOK, http.MethodDelete, base+"/locks/"+otherName, nil)
		got = requests{
			put:    count(http.StatusOK, http.MethodPost, lock, content),
			head:   count(http.StatusOK, http.MethodHead, lock, nil),
			get:    count(http.StatusOK, http.MethodGet, lock, nil),
			list:   count(http.StatusOK, http.MethodGet, base+"/locks/", nil),
			remove: count(http.StatusOK, http.MethodDelete, lock, nil),
			absent: count(http.StatusNotFound, http.MethodHead, base+"/locks/"+nobodys, nil),
		}
		if got.atMost(want) {
			return
		}
	}
	t.Errorf("requests: %+v, want at most %+v", got, want)
}

// testCheck tests the destination as it is tested before it is saved, over a line on
// which each answer takes 20 ms. The log says how long that took.
func testCheck(t *testing.T, g *served, s *storageServer) {
	// Makes the bucket, where it is one.
	g.node().want(t, http.StatusOK, http.MethodPost, "/"+moreDest+"/"+mailRepo+"/?create=true", nil)
	request := fmt.Appendf(nil, `{"id":%q}`, moreDest)
	s.link.become(pace{perRequest: 20 * time.Millisecond})
	defer s.link.become(pace{})
	started := time.Now()
	answer := g.node().want(t, http.StatusOK, http.MethodPost, adminapi.CheckPath, request)
	var report adminapi.CheckReport
	if err := json.Unmarshal(answer.body, &report); err != nil {
		t.Fatal(err)
	}
	t.Logf("the check took %v", time.Since(started))
	if report.Error != "" || len(report.Steps) != 6 {
		t.Errorf("%+v", report)
	}
}

// testWrongCredentials asks a destination that does not let the gateway in:
// whatever is asked, the answer is the destination's failure, which a backup
// outlives, and never one about the client or the object.
func testWrongCredentials(t *testing.T, g *served) {
	base := "/" + wrongDest + "/" + mailRepo
	content, name := blob(1000)
	for _, request := range []struct {
		method, path string
		body         []byte
	}{
		{http.MethodHead, "/config", nil},
		{http.MethodGet, "/config", nil},
		{http.MethodPost, "/?create=true", nil},
		{http.MethodPost, "/data/" + name, content},
		{http.MethodGet, "/data/", nil},
		{http.MethodDelete, "/locks/" + name, nil},
	} {
		answer := g.node().call(t, request.method, base+request.path, request.body)
		if answer.status != http.StatusBadGateway && answer.status != http.StatusServiceUnavailable {
			t.Errorf("%s %s = %d, want 502 or 503", request.method, request.path, answer.status)
		}
	}
}

// testTruncated breaks an upload off halfway: nothing of it is to be seen, by
// clients or on the server.
func testTruncated(t *testing.T, g *served, s *storageServer) {
	base := "/" + moreDest + "/" + mailRepo
	content, name := blob(2 << 20)
	before := listed(t, g, base+"/data/")
	files := s.below(t, mailRepo+"/data/")
	mark := g.log.mark()
	conn := g.node().dial(t)
	g.node().send(t, conn, http.MethodPost, base+"/data/"+name, content[:len(content)/2], "Content-Length: "+strconv.Itoa(len(content)))
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	g.log.wantFrom(t, mark, `"method":"POST"`, `"dest":"`+moreDest, `"status":4`)
	g.node().want(t, http.StatusNotFound, http.MethodHead, base+"/data/"+name, nil)
	if after := listed(t, g, base+"/data/"); len(after) != len(before) {
		t.Errorf("%d objects are listed, want %d", len(after), len(before))
	}
	// The server itself may take a moment to see that nothing more comes.
	var after []string
	defer func() {
		if t.Failed() {
			t.Logf("the server had %d files of packs and has %q", len(files), after)
		}
	}()
	waitFor(t, "the server to have as many files as before", func() bool {
		after = s.below(t, mailRepo+"/data/")
		return len(after) == len(files)
	})
	g.node().want(t, http.StatusOK, http.MethodPost, base+"/data/"+name, content)
}

// below are the files on the server that have part in their path, and are not in the trash:
// the gateway's own upkeep comes and goes there.
func (s *storageServer) below(t *testing.T, part string) []string {
	t.Helper()
	return slices.DeleteFunc(s.paths(t), func(name string) bool {
		return !strings.Contains(name, part) || strings.Contains(name, "rclone-gateway-trash/")
	})
}

// paths are the files on the server, where they are files.
func (s *storageServer) paths(t *testing.T) []string {
	t.Helper()
	if s.files == "" {
		return nil
	}
	return filesBelow(t, s.files)
}

// testKilled kills a gateway in the middle of an upload. What that leaves on the
// server is nothing to clients; a day later, and no sooner, a list removes it.
func testKilled(t *testing.T, c *cluster, g *served, s *storageServer) {
	base := "/" + moreDest + "/killed/" + wikiUUID
	content, name := blob(1000)
	g.node().want(t, http.StatusOK, http.MethodPost, base+"/?create=true", nil)
	g.node().want(t, http.StatusOK, http.MethodPost, base+"/config", content)
	g.node().want(t, http.StatusOK, http.MethodPost, base+"/data/"+name, content)
	files := s.below(t, "killed/"+wikiUUID)

	content, cutOff := blob(4 << 20)
	doomed := c.start(t)
	node := callerOf(doomed.url, "node/1")
	node.send(t, node.dial(t), http.MethodPost, base+"/data/"+cutOff, content[:len(content)/2], contentLength(len(content)))
	waitFor(t, "the upload to begin", func() bool { return len(s.below(t, "killed/"+wikiUUID)) > len(files) })
	doomed.signal(t, syscall.SIGKILL)
	doomed.wait(t)
	g.node().want(t, http.StatusNotFound, http.MethodHead, base+"/data/"+cutOff, nil)
	wantListed := func() {
		if got := listed(t, g, base+"/data/"); len(got) != 1 || got[name] == 0 {
			t.Errorf("%v are listed, want %s", got, name)
		}
	}

	now, old := time.Now(), time.Now().Add(-25*time.Hour)
	// The server may still be writing what it had received.
	waitFor(t, "what is left of the upload to be swept", func() bool {
		for _, file := range s.below(t, "killed/"+wikiUUID) {
			if file := filepath.Join(s.files, file); strings.HasSuffix(file, ".partial") {
				age(t, file, old, old)
			}
		}
		wantListed()
		return len(s.below(t, "killed/"+wikiUUID)) == len(files)
	})

	i := slices.IndexFunc(files, func(file string) bool { return filepath.Base(file) == name })
	beside := filepath.Join(s.files, filepath.Dir(files[i]), "upload-20000101T000000Z-PLANTED")
	want := len(files)
	for i, clocks := range [][2]time.Time{{now, now}, {old, now}, {now, old}, {old, old}} {
		file := beside + strconv.Itoa(i) + ".partial"
		writeFile(t, file, content[:100])
		age(t, file, clocks[0], clocks[1])
	}
	want += 3
	for range 2 {
		wantListed()
		if got := s.below(t, "killed/"+wikiUUID); len(got) != want {
			t.Errorf("the server has %q, want %d files", got, want)
		}
	}
}

// age gives an upload's temporary file a name that says when it began, and a time
// of modification.
func age(t *testing.T, file string, began, modified time.Time) {
	t.Helper()
	_, random, _ := strings.Cut(strings.TrimPrefix(filepath.Base(file), "upload-"), "-")
	aged := filepath.Join(filepath.Dir(file), "upload-"+began.UTC().Format("20060102T150405Z")+"-"+random)
	if err := os.Rename(file, aged); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(aged, modified, modified); err != nil {
		t.Fatal(err)
	}
}

// testRestart backs up over a slow link, and takes the server away in the middle.
func testRestart(t *testing.T, g *served, s *storageServer) {
	// A repository of its own.
	client := newRestic(t, "RESTIC_0_18", g.url+"/"+moreDest, "restart/"+wikiUUID, "node/1")
	tree := storageTree(t, 4<<20)
	client.seed(t, 2)
	s.link.become(slow)
	defer s.link.become(pace{})

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	backup := client.command(t, "backup", tree)
	finished := make(chan error, 1)
	var output []byte
	sent := s.link.sent.Load()
	go func() {
		var err error
		output, err = backup.CombinedOutput()
		finished <- err
		cancel()
	}()
	waitFor(t, "the backup to be under way", func() bool {
		return s.link.sent.Load() > sent+1<<20 || ctx.Err() != nil
	})
	refused := s.link.refused.Load()
	s.stop(t)
	waitFor(t, "the backup to miss the server", func() bool {
		return s.link.refused.Load() > refused || ctx.Err() != nil
	})
	if ctx.Err() != nil {
		t.Errorf("the backup had ended before the server was back")
	}
	s.start(t)
	if err := <-finished; err != nil {
		t.Fatalf("backup: %v\n%s", err, output)
	}
	s.link.become(pace{})
	client.run(t, "check", "--read-data")
	client.wantRestored(t, tree)
	wantWhole(t, g, "restart/"+wikiUUID)
}
