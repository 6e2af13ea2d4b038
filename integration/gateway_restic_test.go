package integration

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/repotest"
)

// resticPassword encrypts the repositories.
const resticPassword = "the-key-of-the-repository"

// restic is one version of the client, with a repository.
type restic struct {
	path, repository, cache string
}

// newRestic returns the client as a user of the gateway, or, where user is
// empty, of any other server.
func newRestic(t *testing.T, variable, base, repo, user string) restic {
	t.Helper()
	u, err := url.Parse(base + "/" + repo + "/")
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		u.User = url.UserPassword(user, redistest.Password(user))
	}
	return restic{program(t, variable), "rest:" + u.String(), t.TempDir()}
}

func (r restic) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := commandContext(t, r.path, args...)
	cmd.Env = append(os.Environ(),
		"RESTIC_REPOSITORY="+r.repository, "RESTIC_PASSWORD="+resticPassword, "RESTIC_CACHE_DIR="+r.cache)
	return cmd
}

func (r restic) run(t *testing.T, args ...string) string {
	t.Helper()
	return runCommand(t, r.command(t, args...))
}

// seed makes the repository as "restic init" does, in version 1 or 2, with a key that takes
// restic no time.
func (r restic) seed(t *testing.T, version int) {
	t.Helper()
	address, served := strings.CutPrefix(r.repository, "rest:")
	if !served {
		repotest.New(t, version, resticPassword).Save(t, address)
		return
	}
	// The URL has the user.
	seedThrough(t, caller{base: strings.TrimSuffix(address, "/"), client: http.DefaultClient}, version)
}

func seedThrough(t *testing.T, server caller, version int) {
	t.Helper()
	made := repotest.New(t, version, resticPassword)
	server.want(t, http.StatusOK, http.MethodPost, "/?create=true", nil)
	server.want(t, http.StatusOK, http.MethodPost, "/keys/"+made.KeyName, made.Key)
	server.want(t, http.StatusOK, http.MethodPost, "/config", made.Config)
}

// wantRestored restores the latest snapshot and compares it byte by byte.
func (r restic) wantRestored(t *testing.T, tree string) {
	t.Helper()
	target := t.TempDir()
	r.run(t, "restore", "latest", "--target", target)
	wantSameTree(t, tree, filepath.Join(target, tree))
}

// TestMainJob is what the gateway is for, with each restic and each kind of store.
func TestMainJob(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	s3 := addS3Destination(t, c, moreDest)
	for _, version := range []string{"RESTIC_0_14", "RESTIC_0_18"} {
		for _, store := range []struct{ name, dest, dir string }{
			{"local", localDest, c.dir},
			{"S3", moreDest, filepath.Join(s3, "backups", moreDest)},
		} {
			t.Run(version+" "+store.name, func(t *testing.T) {
				t.Parallel()
				// Each version has its module, so that the repositories differ.
				user, repo := "module/mail1", mailRepo
				if version == "RESTIC_0_14" {
					user, repo = "module/wiki7", wikiRepo
				}
				module := newRestic(t, version, g.url+"/"+store.dest, repo, user)
				node := newRestic(t, version, g.url+"/"+store.dest, repo, "node/1")
				tree := makeTree(t)

				module.run(t, "init")
				module.run(t, "backup", tree)
				changeTree(t, tree)
				if out := module.run(t, "backup", tree); !strings.Contains(out, "using parent snapshot") {
					t.Errorf("the second backup found no parent:\n%s", out)
				}
				module.run(t, "check", "--read-data")
				module.wantRestored(t, tree)
				wantNoRemoval(t, g, user, store.dest, repo, filepath.Join(store.dir, repo))

				module.run(t, "unlock")
				node.run(t, "forget", "--keep-last", "1", "--prune")
				node.run(t, "check", "--read-data")
				node.wantRestored(t, tree)
				if out := node.run(t, "snapshots", "--json"); strings.Count(out, `"short_id"`) != 1 {
					t.Errorf("after forget --keep-last 1: %s", out)
				}
				module.run(t, "key", "list")
				module.run(t, "cat", "config")
				wantTidy(t, filepath.Join(store.dir, repo))
			})
		}
	}
}

// wantNoRemoval tries to remove every file of a repository as its module.
func wantNoRemoval(t *testing.T, g *served, user, dest, repo, dir string) {
	t.Helper()
	before := filesBelow(t, dir)
	module := callerOf(g.url, user)
	for _, file := range before {
		file = strings.ReplaceAll(file, "data/"+filepath.Base(file)[:2]+"/", "data/")
		module.want(t, http.StatusForbidden, http.MethodDelete, "/"+dest+"/"+repo+"/"+file, nil)
	}
	if after := filesBelow(t, dir); len(after) != len(before) || len(before) < 5 {
		t.Errorf("%d files of %d are left", len(after), len(before))
	}
}

// wantTidy allows nothing in a repository but what restic put there.
func wantTidy(t *testing.T, dir string) {
	t.Helper()
	for _, file := range filesBelow(t, dir) {
		content, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case file == "config":
		case strings.HasPrefix(file, "locks/"):
			t.Errorf("a lock is left: %s", file)
		case filepath.Base(file) != nameOf(content):
			t.Errorf("%s holds other content than its name says", file)
		}
	}
}

// TestModuleCannotPrune runs restic's own forget as a module: it fails, and the
// repository is as good as before.
func TestModuleCannotPrune(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	module := newRestic(t, "RESTIC_0_18", g.url+"/"+localDest, mailRepo, "module/mail1")
	tree := makeTree(t)
	module.seed(t, 2)
	module.run(t, "backup", tree)
	changeTree(t, tree)
	module.run(t, "backup", tree)
	if out, err := module.command(t, "forget", "--keep-last", "1", "--prune").CombinedOutput(); err == nil {
		t.Errorf("forget as a module succeeded:\n%s", out)
	}
	g.log.want(t, `"method":"DELETE"`, `"status":403`, `"user":"module/mail1"`, `"dest":"`+localDest, `"repo":"`+mailRepo, "outside the user's scope")
	if out := module.run(t, "snapshots", "--json"); strings.Count(out, `"short_id"`) != 2 {
		t.Errorf("want both snapshots: %s", out)
	}
	module.run(t, "check")
	wantTidy(t, filepath.Join(c.dir, mailRepo))
}

// TestLayoutIsThatOfRclone serves one directory by both servers in turn.
func TestLayoutIsThatOfRclone(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	rclone := startRclone(t, "restic", c.dir)
	tree := makeTree(t)

	ours := newRestic(t, "RESTIC_0_18", g.url+"/"+localDest, mailRepo, "module/mail1")
	theirs := newRestic(t, "RESTIC_0_18", rclone, mailRepo, "")
	ours.seed(t, 2)
	ours.run(t, "backup", tree)
	theirs.wantRestored(t, tree)
	changeTree(t, tree)
	theirs.run(t, "backup", tree)
	ours.wantRestored(t, tree)
	ours.run(t, "check", "--read-data")

	ours = newRestic(t, "RESTIC_0_18", g.url+"/"+localDest, wikiRepo, "module/wiki7")
	theirs = newRestic(t, "RESTIC_0_18", rclone, wikiRepo, "")
	theirs.seed(t, 2)
	theirs.run(t, "backup", tree)
	ours.wantRestored(t, tree)
	ours.run(t, "check", "--read-data")
}

// TestListsOfBothVersions compares the two forms of a list. Version 1 comes by its own
// type, and to a client that names both and prefers it.
func TestListsOfBothVersions(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	module := g.module("mail1")
	base := "/" + localDest + "/" + mailRepo
	module.want(t, http.StatusOK, http.MethodPost, base+"/config", aConfig)
	sizes := map[string]int64{}
	for n := range 40 {
		content, name := blob(n)
		sizes[name] = int64(n)
		module.want(t, http.StatusOK, http.MethodPost, base+"/data/"+name, content)
	}

	v2 := module.want(t, http.StatusOK, http.MethodGet, base+"/data/", nil)
	var entries []struct {
		Name string
		Size int64
	}
	if err := json.Unmarshal(v2.body, &entries); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if size, ok := sizes[e.Name]; !ok || size != e.Size {
			t.Errorf("%s with %d bytes, want %d", e.Name, e.Size, size)
		}
	}
	if len(entries) != len(sizes) || v2.header.Get("Content-Type") != rest.MediaTypeV2 {
		t.Errorf("%d entries of type %q", len(entries), v2.header.Get("Content-Type"))
	}

	for _, accept := range []string{rest.MediaTypeV1, rest.MediaTypeV2 + ";q=0, " + rest.MediaTypeV1} {
		v1 := module.want(t, http.StatusOK, http.MethodGet, base+"/data/", nil, "Accept", accept)
		var names []string
		if err := json.Unmarshal(v1.body, &names); err != nil {
			t.Fatalf("%v: %.100q", err, v1.body)
		}
		for _, name := range names {
			if _, ok := sizes[name]; !ok {
				t.Errorf("%s is listed", name)
			}
		}
		if len(names) != len(sizes) || v1.header.Get("Content-Type") != rest.MediaTypeV1 {
			t.Errorf("%d names of type %q", len(names), v1.header.Get("Content-Type"))
		}
	}
	empty := module.want(t, http.StatusOK, http.MethodGet, base+"/snapshots/", nil)
	if string(bytes.TrimSpace(empty.body)) != "[]" {
		t.Errorf("an absent directory lists as %q", empty.body)
	}
}

// makeTree makes a tree to back up: some of Go's own source, files of odd names,
// and enough random bytes for several packs.
func makeTree(t *testing.T) string {
	t.Helper()
	tree := filepath.Join(t.TempDir(), "tree")
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(strings.TrimSpace(string(out)), "src")
	for _, dir := range []string{"net/http", "encoding", "errors"} {
		if err := os.CopyFS(filepath.Join(tree, dir), os.DirFS(filepath.Join(source, dir))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{
		"with space", "grüße-日本", "new\nline", "back\\slash", "star*?[x]", "%2e%2e", "-dash", "\xff\xfe not UTF-8", strings.Repeat("l", 255),
	} {
		writeFile(t, filepath.Join(tree, "odd", name), []byte(name))
	}
	writeFile(t, filepath.Join(tree, "odd", "empty"), nil)
	random, _ := blob(24 << 20)
	writeFile(t, filepath.Join(tree, "random"), random)
	if err := os.Mkdir(filepath.Join(tree, "odd", "empty directory"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("no/such/target", filepath.Join(tree, "odd", "link")); err != nil {
		t.Fatal(err)
	}
	return tree
}

// changeTree changes, adds and removes.
func changeTree(t *testing.T, tree string) {
	t.Helper()
	added, _ := blob(3 << 20)
	writeFile(t, filepath.Join(tree, "added"), added)
	writeFile(t, filepath.Join(tree, "odd", "empty"), []byte("no more"))
	if err := os.RemoveAll(filepath.Join(tree, "encoding", "json")); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// wantSameTree compares names, modes, contents and targets of links.
func wantSameTree(t *testing.T, want, got string) {
	t.Helper()
	a, b := readTree(t, want), readTree(t, got)
	for name, entry := range a {
		if b[name] != entry {
			t.Errorf("%q is %+v, want %+v", name, b[name], entry)
		}
	}
	if len(a) != len(b) || len(a) < 100 {
		t.Errorf("%d entries, want %d", len(b), len(a))
	}
}

type treeEntry struct {
	mode    fs.FileMode
	content string // its SHA-256, or a link's target
}

func readTree(t *testing.T, root string) map[string]treeEntry {
	t.Helper()
	entries := map[string]treeEntry{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		entry := treeEntry{mode: info.Mode()}
		switch {
		case info.Mode().IsRegular():
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			entry.content = nameOf(content)
		case info.Mode().Type() == fs.ModeSymlink:
			if entry.content, err = os.Readlink(path); err != nil {
				return err
			}
		}
		name, err := filepath.Rel(root, path)
		entries[name] = entry
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}
