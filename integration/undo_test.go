package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/past"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// trashed asks for what a repository has in the trash, and restores it if so.
func trashed(t *testing.T, g *served, dest, repo string) []adminapi.Deleted {
	t.Helper()
	answer := g.node().want(t, http.StatusOK, http.MethodPost, adminapi.TrashListPath, fmt.Appendf(nil, `{"destination":%q,"repository":%q}`, dest, repo))
	var reply adminapi.TrashReply
	if err := json.Unmarshal(answer.body, &reply); err != nil {
		t.Fatal(err)
	}
	return reply.Objects
}

// bringBack restores all that a repository has in the trash.
func bringBack(t *testing.T, g *served, dest, repo string) adminapi.TrashDone {
	t.Helper()
	answer := g.node().want(t, http.StatusOK, http.MethodPost, adminapi.TrashRestorePath, fmt.Appendf(nil, `{"destination":%q,"repository":%q}`, dest, repo))
	var done adminapi.TrashDone
	if err := json.Unmarshal(answer.body, &done); err != nil {
		t.Fatal(err)
	}
	return done
}

// testUndo has a node forget and prune all but one snapshot, and brings all of it back:
// restic finds nothing wrong, without any repair.
func testUndo(t *testing.T, g *served, dest, version, repo string) {
	module := newRestic(t, version, g.url+"/"+dest, repo, moduleOf(repo))
	node := newRestic(t, version, g.url+"/"+dest, repo, "node/1")
	tree := makeTree(t)
	module.seed(t, 2)
	module.run(t, "backup", tree)
	changeTree(t, tree)
	module.run(t, "backup", tree)
	writeFile(t, filepath.Join(tree, "third"), []byte("a third"))
	module.run(t, "backup", tree)
	node.run(t, "forget", "--keep-last", "1", "--prune")
	if got := strings.Count(node.run(t, "snapshots", "--json"), `"short_id"`); got != 1 {
		t.Fatalf("after the prune there are %d snapshots", got)
	}
	node.run(t, "check", "--read-data")
	kinds := map[string]int{}
	for _, o := range trashed(t, g, dest, repo) {
		kinds[o.Kind]++
		if o.Received.IsZero() || o.Size <= 0 || !o.Deleted.Before(o.Expires) {
			t.Errorf("in the trash is %+v", o)
		}
	}
	if kinds["snapshots"] != 2 || kinds["index"] == 0 || kinds["data"] == 0 {
		t.Errorf("the trash holds %v", kinds)
	}
	if done := bringBack(t, g, dest, repo); done.Objects == 0 || done.Skipped != 0 {
		t.Errorf("brought back %+v", done)
	}
	if left := trashed(t, g, dest, repo); len(left) != 0 {
		t.Errorf("in the trash are still %+v", left)
	}
	if got := strings.Count(node.run(t, "snapshots", "--json"), `"short_id"`); got != 3 {
		t.Errorf("%d snapshots came back", got)
	}
	module.run(t, "check", "--read-data")
	module.wantRestored(t, tree)
}

// TestAPruneIsUndone on a disk, and on each way to keep what was deleted elsewhere.
func TestAPruneIsUndone(t *testing.T) {
	t.Parallel()
	t.Run("local", func(t *testing.T) {
		t.Parallel()
		g := newCluster(t).serve(t)
		testUndo(t, g, localDest, "RESTIC_0_14", wikiRepo)
		testUndo(t, g, localDest, "RESTIC_0_18", mailRepo)
	})
	for name, start := range map[string]func(*testing.T) *storageServer{
		"MinIO": startMinIO, "OpenSSH": startSSH, "rclone serve webdav": startRcloneWebDAV, "Azurite": startAzurite, "crypt over MinIO": startCrypt,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			c := newCluster(t)
			c.AddDestinations(s.destinations(t, moreDest, s.secret)...)
			testUndo(t, s.gateway(t, c), moreDest, "RESTIC_0_18", mailRepo)
		})
	}
}

// TestPlainResticWorksOnABucketWithATrash beside the gateway: it sees a valid repository, and
// what it prunes, packs under marks too, the gateway no longer promises to have.
func TestPlainResticWorksOnABucketWithATrash(t *testing.T) {
	t.Parallel()
	s := startMinIO(t)
	c := newCluster(t)
	c.AddDestinations(onS3(moreDest, "backups", s.section(s.secret)))
	g := s.gateway(t, c)
	module := newRestic(t, "RESTIC_0_18", g.url+"/"+moreDest, mailRepo, "module/mail1")
	tree := makeTree(t)
	module.seed(t, 2)
	module.run(t, "backup", tree)
	then := secondOver(t)
	changeTree(t, tree)
	module.run(t, "backup", tree)
	newRestic(t, "RESTIC_0_18", g.url+"/"+moreDest, mailRepo, "node/1").run(t, "forget", "--keep-last", "1", "--prune", "--max-unused", "0")
	kept := len(trashed(t, g, moreDest, mailRepo))

	plain := restic{program(t, "RESTIC_0_18"), "s3:http://" + s.link.address + "/backups/servers/" + mailRepo, t.TempDir()}
	run := func(args ...string) {
		t.Helper()
		cmd := plain.command(t, args...)
		cmd.Env = append(cmd.Env, "AWS_ACCESS_KEY_ID="+s3AccessKey, "AWS_SECRET_ACCESS_KEY="+s3SecretKey)
		runCommand(t, cmd)
	}
	run("check", "--read-data")
	run("backup", tree)
	if got := len(trashed(t, g, moreDest, mailRepo)); got != kept {
		t.Errorf("of %d objects in the trash there are %d", kept, got)
	}
	pastOf(t, module, then).run(t, "check", "--read-data")
	run("prune", "--max-unused", "0")
	module.run(t, "check", "--read-data")
	module.wantRestored(t, tree)
	// That packs went shows in their list.
	view := "/" + past.Name(moreDest+"/"+mailRepo, then)
	answer := g.node().want(t, http.StatusForbidden, http.MethodGet, view+"/data/", nil)
	if !strings.Contains(string(answer.body), "earliest") {
		t.Errorf("as it was: %s", answer.body)
	}
}

// testRollback poisons a repository with the module's password alone, as far as the
// gateway has to take it, deletes with a node's, and makes it what it was by one request.
func testRollback(t *testing.T, g *served, dest, repo string) {
	module := newRestic(t, "RESTIC_0_18", g.url+"/"+dest, repo, moduleOf(repo))
	node := newRestic(t, "RESTIC_0_18", g.url+"/"+dest, repo, "node/1")
	tree := makeTree(t)
	module.seed(t, 2)
	module.run(t, "backup", tree)
	changeTree(t, tree)
	module.run(t, "backup", tree)
	good := time.Now()
	waitFor(t, "another second", func() bool { return time.Now().Unix() > good.Unix()+1 })

	user := callerOf(g.url, moduleOf(repo))
	for _, kind := range []string{"index", "snapshots", "data", "locks"} {
		content, name := blob(300) // random bytes of a legal size
		user.want(t, http.StatusOK, http.MethodPost, "/"+dest+"/"+repo+"/"+kind+"/"+name, content)
	}
	if out, err := module.command(t, "ls", "latest", "--no-lock").CombinedOutput(); err == nil {
		t.Errorf("restic does not mind the poison:\n%s", out)
	}
	snapshots := listed(t, g, "/"+dest+"/"+repo+"/snapshots/")
	for name := range snapshots {
		g.node().want(t, http.StatusOK, http.MethodDelete, "/"+dest+"/"+repo+"/snapshots/"+name, nil)
	}

	roll := func(to time.Time, more string) adminapi.RollbackReply {
		t.Helper()
		answer := g.node().want(t, http.StatusOK, http.MethodPost, adminapi.RollbackPath,
			fmt.Appendf(nil, `{"destination":%q,"repository":%q,"to":%q%s}`, dest, repo, to.UTC().Format(time.RFC3339), more))
		var reply adminapi.RollbackReply
		if err := json.Unmarshal(answer.body, &reply); err != nil {
			t.Fatal(err)
		}
		return reply
	}
	before := listed(t, g, "/"+dest+"/"+repo+"/index/")
	if reply := roll(good, `,"dry_run":true`); reply.Returning["snapshots"] != 2 || reply.Leaving["index"] != 1 || reply.Leaving["data"] != 1 || reply.Locks == 0 {
		t.Errorf("it would do %+v", reply)
	}
	if after := listed(t, g, "/"+dest+"/"+repo+"/index/"); len(after) != len(before) {
		t.Errorf("a dry run changed the indexes: %v, %v", before, after)
	}
	roll(good, "")
	if got := strings.Count(module.run(t, "snapshots", "--json"), `"short_id"`); got != 2 {
		t.Errorf("%d snapshots came back", got)
	}
	node.run(t, "check", "--read-data")
	module.wantRestored(t, tree)
	if reply := roll(good, ""); len(reply.Leaving)+len(reply.Returning) != 0 {
		t.Errorf("a second one to the same time does %+v", reply)
	}
	g.node().want(t, http.StatusOK, http.MethodPost, adminapi.ThawPath, fmt.Appendf(nil, `{"destination":%q,"repository":%q}`, dest, repo))
	module.run(t, "backup", tree)
}

func TestOneRollbackUndoesPoisonAndDeletion(t *testing.T) {
	t.Parallel()
	t.Run("local", func(t *testing.T) {
		t.Parallel()
		testRollback(t, newCluster(t).serve(t), localDest, mailRepo)
	})
	t.Run("MinIO", func(t *testing.T) {
		t.Parallel()
		s := startMinIO(t)
		c := newCluster(t)
		c.AddDestinations(s.destinations(t, moreDest, s.secret)...)
		testRollback(t, s.gateway(t, c), moreDest, mailRepo)
	})
}

func TestARollbackThatCannotBeFreezesNothing(t *testing.T) {
	t.Parallel()
	g := newCluster(t).serve(t)
	newRestic(t, "RESTIC_0_18", g.url+"/"+localDest, mailRepo, moduleOf(mailRepo)).seed(t, 2)
	for _, tt := range []struct {
		repo   string
		to     time.Time
		status int
	}{
		{mailRepo, time.Now().Add(time.Hour), http.StatusForbidden},
		{"mail/none", time.Now().Add(-time.Second), http.StatusNotFound},
	} {
		repository := fmt.Sprintf(`"destination":%q,"repository":%q`, localDest, tt.repo)
		g.node().want(t, tt.status, http.MethodPost, adminapi.RollbackPath,
			fmt.Appendf(nil, `{%s,"to":%q}`, repository, tt.to.UTC().Format(time.RFC3339)))
		answer := g.node().want(t, http.StatusOK, http.MethodPost, adminapi.ThawPath, []byte("{"+repository+"}"))
		var reply adminapi.FreezeReply
		if err := json.Unmarshal(answer.body, &reply); err != nil || reply.Changed {
			t.Errorf("%s was frozen: %s, %v", tt.repo, answer.body, err)
		}
	}
}

func TestAPackInABucketIsDeletedByOneRequest(t *testing.T) {
	t.Parallel()
	s := startMinIO(t)
	c := newCluster(t)
	c.AddDestinations(s.destinations(t, moreDest, s.secret)...)
	g := s.gateway(t, c)
	base := "/" + moreDest + "/" + mailRepo
	g.node().want(t, http.StatusOK, http.MethodPost, base+"/?create=true", nil)
	// With the first small upload it is proven that the storage does not replace objects.
	lock, lockName := blob(160)
	g.node().want(t, http.StatusOK, http.MethodPost, base+"/locks/"+lockName, lock)
	content, name := blob(1000)
	for _, step := range []struct {
		method string
		body   []byte
		status int
	}{
		{http.MethodPost, content, http.StatusOK},
		{http.MethodGet, nil, http.StatusOK},
		{http.MethodDelete, nil, http.StatusOK},
		{http.MethodGet, nil, http.StatusNotFound}, // which this gateway knows by itself
	} {
		before := s.link.requests.Load()
		g.node().want(t, step.status, step.method, base+"/data/"+name, step.body)
		if n := s.link.requests.Load() - before; n > 1 {
			t.Errorf("%s of a pack: %d requests", step.method, n)
		}
	}
}
