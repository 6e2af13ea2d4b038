package integration

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// forgetter is a node that runs gatewayctl forget on a module's repository.
type forgetter struct {
	c   *cluster
	g   *served
	bin string
}

func newForgetter(t *testing.T, c *cluster, g *served) *forgetter {
	t.Helper()
	bin := t.TempDir()
	if err := os.Symlink(program(t, "RESTIC_0_18"), filepath.Join(bin, "restic")); err != nil {
		t.Fatal(err)
	}
	return &forgetter{c, g, bin}
}

func (f *forgetter) run(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	cmd := commandContext(t, program(t, "GATEWAYCTL"), append([]string{"forget", "--destination", localDest, "--repopath", mailRepo}, args...)...)
	cmd.Env = []string{
		"PATH=" + f.bin + ":" + os.Getenv("PATH"), "HOME=" + f.bin, "NS8_RESTIC_RUNTIME=native", "NS8_GATEWAY_URL=" + f.g.url,
		"REDIS_ADDRESS=" + f.c.Addr, "REDIS_REPLICA_ADDRESS=" + f.c.Addr, "REDIS_USER=node/1", "REDIS_PASSWORD=" + redistest.Password("node/1"), "NODE_ID=1",
	}
	text, err := cmd.CombinedOutput()
	if exit, ok := err.(*exec.ExitError); ok {
		return string(text), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text), 0
}

// snapshotIDs are the IDs of all snapshots, the oldest first.
func snapshotIDs(t *testing.T, r restic) (ids []string) {
	t.Helper()
	var list []struct{ ID string }
	if err := json.Unmarshal([]byte(r.run(t, "snapshots", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	return ids
}

// backUpAt backs up, as if it had been days ago: the storage has the time as well.
func backUpAt(t *testing.T, module restic, repository, tree string, days int) (id string) {
	t.Helper()
	at := time.Now().AddDate(0, 0, -days)
	before := snapshotIDs(t, module)
	module.run(t, "backup", "--host", "mail1", "--time", at.Format(time.DateTime), tree)
	for _, id = range snapshotIDs(t, module) {
		if !strings.Contains(strings.Join(before, " "), id) {
			break
		}
	}
	if err := os.Chtimes(filepath.Join(repository, "snapshots", id), at, at); err != nil {
		t.Fatal(err)
	}
	return id
}

// TestForgedSnapshotsMakeNoGenuineOneGo is what a stolen module password does to
// retention: snapshots of the future, which the newest rules would all be spent on.
func TestForgedSnapshotsMakeNoGenuineOneGo(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.Do("HSET", "private/agents/backup_destination/restic_password", localDest, resticPassword)
	g := c.serve(t)
	f := newForgetter(t, c, g)
	repository := filepath.Join(c.dir, mailRepo)
	module := newRestic(t, "RESTIC_0_18", g.url+"/"+localDest, mailRepo, "module/mail1")
	node := newRestic(t, "RESTIC_0_18", g.url+"/"+localDest, mailRepo, "node/1")
	tree := t.TempDir()
	writeFile(t, filepath.Join(tree, "file"), []byte("content"))
	module.seed(t, 2)
	var genuine []string
	for _, days := range []int{4, 3, 2, 1} {
		genuine = append(genuine, backUpAt(t, module, repository, tree, days))
	}
	for _, day := range []string{"10", "11", "12"} {
		module.run(t, "backup", "--host", "mail1", "--time", "2031-01-"+day+" 10:00:00", tree)
	}
	forged := strings.Join(snapshotIDs(t, module)[4:], " ")

	out, code := f.run(t, "--keep-daily", "2", "--dry-run")
	if code != 0 || !strings.Contains(out, "2 stay, 2 go, 3 are held") || !strings.Contains(out, "it claims 2031-01-10") {
		t.Errorf("dry run: %d: %s", code, out)
	}
	if n := len(snapshotIDs(t, node)); n != 7 {
		t.Errorf("%d snapshots after a dry run", n)
	}
	for _, args := range [][]string{{"--keep-last", "1"}, {"--keep-daily", "2", "--max-share", "49"}} {
		if out, code := f.run(t, args...); code == 0 || !strings.Contains(out, "nothing was removed") {
			t.Errorf("%q: %d: %s", args, code, out)
		}
	}
	if out, code := f.run(t, "--keep-daily", "2", "--prune"); code != 0 {
		t.Fatalf("forget: %d: %s", code, out)
	}
	left := strings.Join(snapshotIDs(t, node), " ")
	for i, id := range genuine {
		if there := strings.Contains(left, id); there != (i >= 2) {
			t.Errorf("genuine snapshot %d is there: %v", i, there)
		}
	}
	for id := range strings.FieldsSeq(forged) {
		if !strings.Contains(left, id) {
			t.Errorf("the forged snapshot %s went unseen", id)
		}
	}
	if out, code := f.run(t, "--acknowledge", strings.Join(strings.Fields(forged), ",")); code != 0 {
		t.Errorf("acknowledge: %d: %s", code, out)
	}
	if out, code := f.run(t, "--keep-daily", "9", "--dry-run"); code != 0 || !strings.Contains(out, "3 stay, 2 go, 0 are held") {
		t.Errorf("after they were acknowledged: %d: %s", code, out)
	}
	module.run(t, "check")
}

// TestSnapshotsOfNodesCountByTheirOwnTime tags an old snapshot as a node, which saves it
// again.
func TestSnapshotsOfNodesCountByTheirOwnTime(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.Do("HSET", "private/agents/backup_destination/restic_password", localDest, resticPassword)
	g := c.serve(t)
	repository := filepath.Join(c.dir, mailRepo)
	module := newRestic(t, "RESTIC_0_18", g.url+"/"+localDest, mailRepo, "module/mail1")
	node := newRestic(t, "RESTIC_0_18", g.url+"/"+localDest, mailRepo, "node/1")
	tree := t.TempDir()
	writeFile(t, filepath.Join(tree, "file"), []byte("content"))
	module.seed(t, 2)
	old := backUpAt(t, module, repository, tree, 30)
	recent := backUpAt(t, module, repository, tree, 1)
	node.run(t, "tag", "--add", "kept", old)

	base := "/" + localDest + "/" + mailRepo + "/snapshots/"
	for _, id := range snapshotIDs(t, node) {
		head := g.node().want(t, http.StatusOK, http.MethodHead, base+id, nil).header
		received, err := http.ParseTime(head.Get("Last-Modified"))
		if err != nil {
			t.Fatal(err)
		}
		if byNode := head.Get(rest.HeaderSavedBy) != ""; byNode != (id != recent) || (time.Since(received) < time.Hour) != byNode {
			t.Errorf("snapshot %s: saved by a node %v, received %s", id, byNode, received)
		}
	}
	if out, code := newForgetter(t, c, g).run(t, "--keep-within", "7d", "--dry-run"); code != 0 || !strings.Contains(out, "1 stay, 1 go, 0 are held") {
		t.Errorf("forget: %d: %s", code, out)
	}
	module.run(t, "check")
}
