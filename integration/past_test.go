package integration

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/past"
)

// secondOver waits until the second is over in which everything so far happened, by this
// clock and by that of a storage beside it, and returns it.
func secondOver(t *testing.T) time.Time {
	t.Helper()
	now := time.Now()
	waitFor(t, "another second", func() bool { return time.Now().Unix() > now.Unix()+1 })
	return now.Truncate(time.Second)
}

// pastOf is restic on a repository as it was.
func pastOf(t *testing.T, r restic, at time.Time) restic {
	t.Helper()
	r.repository = past.Name(strings.TrimSuffix(r.repository, "/"), at) + "/"
	r.cache = t.TempDir()
	return r
}

// testPast backs up, poisons, forgets and prunes, and reads the repository as it was
// between: restic runs on it as it is, as the module and as the node.
func testPast(t *testing.T, g *served, dest, version, repo string) {
	module := newRestic(t, version, g.url+"/"+dest, repo, moduleOf(repo))
	node := newRestic(t, version, g.url+"/"+dest, repo, "node/1")
	tree := makeTree(t)
	module.seed(t, 2)
	module.run(t, "backup", tree)
	first := pastOf(t, module, secondOver(t))
	kept := filepath.Join(t.TempDir(), "kept")
	runCommand(t, commandContext(t, "cp", "-a", tree, kept))
	changeTree(t, tree)
	module.run(t, "backup", tree)
	second := pastOf(t, node, secondOver(t))
	node.run(t, "forget", "--keep-last", "1", "--prune")
	content, name := blob(300)
	callerOf(g.url, moduleOf(repo)).want(t, http.StatusOK, http.MethodPost, "/"+dest+"/"+repo+"/index/"+name, content)

	if out, err := module.command(t, "check").CombinedOutput(); err == nil {
		t.Errorf("restic does not mind the poison:\n%s", out)
	}
	for want, view := range map[int]restic{1: first, 2: second} {
		if got := strings.Count(view.run(t, "snapshots", "--json"), `"short_id"`); got != want {
			t.Errorf("as it was it has %d snapshots, want %d", got, want)
		}
		view.run(t, "check", "--read-data")
		if got := strings.TrimSpace(view.run(t, "list", "locks")); strings.Count(got, "\n") > 0 {
			t.Errorf("as it was it has more locks than restic's own: %s", got)
		}
	}
	target := t.TempDir()
	first.run(t, "restore", "latest", "--target", target)
	wantSameTree(t, kept, filepath.Join(target, tree))
	second.wantRestored(t, tree)
	wantCopied(t, first, version)
	wantMounted(t, first)

	// It is read-only. Old versions of restic try again for most of a minute.
	if version != "RESTIC_0_14" {
		for _, args := range [][]string{{"backup", kept}, {"init"}} {
			if out, err := second.command(t, args...).CombinedOutput(); err == nil {
				t.Errorf("restic %s of a repository as it was succeeds:\n%s", args[0], out)
			}
		}
		_ = second.command(t, "forget", "latest").Run() // it warns that it cannot
		if got := strings.Count(second.run(t, "snapshots", "--json"), `"short_id"`); got != 2 {
			t.Errorf("after that it has %d snapshots, want 2", got)
		}
	}
	if got := len(listed(t, g, "/"+dest+"/"+repo+"/locks/")); got != 0 {
		t.Errorf("the repository holds %d locks", got)
	}
}

// wantCopied copies a repository as it was into a new one.
func wantCopied(t *testing.T, view restic, version string) {
	t.Helper()
	to := restic{program(t, version), filepath.Join(t.TempDir(), "copy"), view.cache}
	to.seed(t, 2)
	cmd := view.command(t, "copy", "--repo2", to.repository)
	cmd.Env = append(cmd.Env, "RESTIC_PASSWORD2="+resticPassword)
	if version != "RESTIC_0_14" {
		cmd = to.command(t, "copy", "--from-repo", view.repository)
		cmd.Env = append(cmd.Env, "RESTIC_FROM_PASSWORD="+resticPassword)
	}
	runCommand(t, cmd)
	to.run(t, "check", "--read-data")
}

// wantMounted mounts a repository as it was, and reads a file.
func wantMounted(t *testing.T, view restic) {
	t.Helper()
	_, errTool := exec.LookPath("fusermount")
	if _, err := os.Stat("/dev/fuse"); err != nil || errTool != nil || os.Geteuid() != 0 {
		t.Log("not mounted: that needs /dev/fuse, fusermount and root")
		return
	}
	dir := t.TempDir()
	cmd := view.command(t, "mount", dir)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	mounted := false
	waitFor(t, "the repository to be mounted", func() bool {
		select {
		case err := <-ended:
			ended <- err
			return true
		default:
		}
		_, err := os.Stat(filepath.Join(dir, "snapshots", "latest"))
		mounted = err == nil
		return mounted
	})
	if mounted {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
	}
	select {
	case err := <-ended:
		t.Log("the mount has ended:", err)
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		t.Log("the mount was killed:", <-ended)
	}
	_ = exec.Command("fusermount", "-u", "-z", dir).Run()
	if !mounted {
		t.Errorf("restic does not mount it:\n%s", out.String())
	}
}

func TestResticReadsARepositoryAsItWas(t *testing.T) {
	t.Parallel()
	t.Run("local", func(t *testing.T) {
		t.Parallel()
		g := newCluster(t).serve(t)
		testPast(t, g, localDest, "RESTIC_0_14", wikiRepo)
		testPast(t, g, localDest, "RESTIC_0_18", mailRepo)
	})
	t.Run("MinIO", func(t *testing.T) {
		t.Parallel()
		s := startMinIO(t)
		c := newCluster(t)
		c.AddDestinations(s.destinations(t, moreDest, s.secret)...)
		g := s.gateway(t, c)
		testPast(t, g, moreDest, "RESTIC_0_14", wikiRepo)
		testPast(t, g, moreDest, "RESTIC_0_18", mailRepo)
	})
}

// TestRequestsOfARepositoryAsItWas counts what MinIO is asked for a list as it was, and for
// an object: the notes twice, the marks and the trash once each, and the objects.
func TestRequestsOfARepositoryAsItWas(t *testing.T) {
	t.Parallel()
	s := startMinIO(t)
	c := newCluster(t)
	c.AddDestinations(s.destinations(t, moreDest, s.secret)...)
	g := s.gateway(t, c)
	base := "/" + moreDest + "/" + mailRepo
	g.node().want(t, http.StatusOK, http.MethodPost, base+"/?create=true", nil) // and the bucket
	g.node().want(t, http.StatusOK, http.MethodPost, base+"/config", aConfig)
	var names []string
	for range 3 {
		content, name := blob(1000)
		names = append(names, name)
		g.node().want(t, http.StatusOK, http.MethodPost, base+"/data/"+name, content)
	}
	view := past.Name(base, secondOver(t))
	g.node().want(t, http.StatusOK, http.MethodDelete, base+"/data/"+names[0], nil)
	g.node().want(t, http.StatusOK, http.MethodGet, view+"/config", nil)
	for what, most := range map[string]int64{"/data/": 5, "/data/" + names[0]: 1, "/data/" + names[1]: 1} {
		// The first time it may be looked for what has vanished.
		g.node().want(t, http.StatusOK, http.MethodGet, view+"/data/", nil)
		before := s.link.requests.Load()
		g.node().want(t, http.StatusOK, http.MethodGet, view+what, nil)
		if n := s.link.requests.Load() - before; n > most {
			t.Errorf("GET of %.8s: %d requests, want at most %d", what, n, most)
		}
	}
}
