package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestLitmus runs the suite of litmus that a server of class 1 without properties of
// its own can pass. Of the others, "props" sets properties with PROPPATCH, which
// there is no place for on a disk or in a bucket, and "locks" takes locks, which this
// gateway does not pretend to have.
func TestLitmus(t *testing.T) {
	t.Parallel()
	litmus := installed(t, "litmus", "litmus")
	g := newCluster(t).serve(t)
	node := g.node()
	cmd := commandContext(t, litmus, "--keep-going", g.url+"/"+localDest+"/", node.user, node.password)
	cmd.Dir = t.TempDir() // it writes a log
	cmd.Env = append(os.Environ(), "TESTS=basic copymove http")
	out := runCommand(t, cmd)
	for _, suite := range []string{"basic", "copymove", "http"} {
		summary := regexp.MustCompile("summary for `" + suite + "': of (\\d+) tests run: (\\d+) passed, 0 failed. 100.0%").FindStringSubmatch(out)
		if len(summary) != 3 || summary[1] != summary[2] {
			t.Errorf("%s: not all tests passed:\n%s", suite, out)
		}
	}
	const noLocks = "WARNING: server does not claim Class 2 compliance"
	if rest := strings.Replace(out, noLocks, "", 1); rest == out || strings.Contains(rest, "FAIL") || strings.Contains(rest, "WARNING") {
		t.Errorf("litmus complains:\n%s", out)
	}
}

// oddFiles are files whose names clients encode in different ways.
var oddFiles = map[string]string{
	"plain.txt":                    "plain",
	"with space":                   "space",
	"100% of it #1":                "percent and hash",
	"sub & co/it's (2)! 'quoted'":  "quotes",
	"sub & co/täglich/日本語.json":    "{}",
	"sub & co/a+b=c;d,e@f$g~h[i]":  "reserved",
	"sub & co/täglich/<tag> & \"q": "markup",
	"empty":                        "",
	"deep/er/and/deeper/still/one": strings.Repeat("one\n", 100_000),
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// wantFiles compares what is below a directory with the files that should be there.
func wantFiles(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	got := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), ".rclone-gateway-") {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		got[name] = string(content)
		return err
	})
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%s holds %q, %v; want %q", dir, slices.Sorted(maps.Keys(got)), err, slices.Sorted(maps.Keys(want)))
	}
}

// davRemote returns a command of rclone that has the gateway as the remote "dav:",
// for a user. It is "other:" too, between which and "dav:" rclone copies by download
// and upload.
func davRemote(t *testing.T, g *served, user caller) func(args ...string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	called := filepath.Join(dir, "rclone")
	if err := os.Symlink(program(t, "RCLONE_GATEWAY"), called); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "rclone.conf")
	hide := commandContext(t, called, "obscure", "-")
	hide.Stdin = strings.NewReader(user.password)
	section := fmt.Sprintf("type = webdav\nvendor = other\npacer_min_sleep = 1ms\nurl = %s/\nuser = %s\npass = %s\n",
		g.url, user.user, strings.TrimSpace(runCommand(t, hide)))
	if err := os.WriteFile(conf, []byte("[dav]\n"+section+"[other]\n"+section), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(args ...string) *exec.Cmd {
		cmd := commandContext(t, called, args...)
		cmd.Env = append(os.Environ(), "RCLONE_CONFIG="+conf)
		return cmd
	}
}

// TestRcloneOverWebDAV copies trees and a repository through the gateway, and lists
// them as NethServer 8 does.
func TestRcloneOverWebDAV(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	command := davRemote(t, g, g.node())
	run := func(args ...string) string { t.Helper(); return runCommand(t, command(args...)) }
	remote := "dav:" + localDest

	source := t.TempDir()
	writeFiles(t, source, oddFiles)
	run("copy", source, remote+"/tree")
	wantFiles(t, filepath.Join(c.dir, "tree"), oddFiles)
	back := t.TempDir()
	run("copy", remote+"/tree", back)
	wantFiles(t, back, oddFiles)

	changed := maps.Clone(oddFiles)
	delete(changed, "sub & co/täglich/日本語.json")
	changed["plain.txt"] = "no longer plain"
	changed["new/file"] = "new"
	if err := os.RemoveAll(source); err != nil {
		t.Fatal(err)
	}
	writeFiles(t, source, changed)
	run("sync", source, remote+"/tree")
	wantFiles(t, filepath.Join(c.dir, "tree"), changed)
	run("purge", remote+"/tree")
	if fileExists(filepath.Join(c.dir, "tree")) {
		t.Error("purge left the tree")
	}

	// A repository that REST wrote is seen at once, and copied by what is stored.
	module, base := g.module("mail1"), "/"+localDest+"/"+mailRepo
	module.want(t, 200, "POST", base+"/config", aConfig)
	for range 3 {
		pack, name := blob(50_000)
		module.want(t, 200, "POST", base+"/data/"+name, pack)
	}
	lock, lockName := blob(200)
	module.want(t, 200, "POST", base+"/locks/"+lockName, lock)
	wantConfigs(t, run("lsjson", "--max-depth", "3", "--include", "config", "--files-only", "-R", remote), mailRepo+"/config")
	const copied = "mail/33333333-0000-4000-8000-000000000003"
	run("copy", remote+"/"+mailRepo, "other:"+localDest+"/"+copied)
	wantFiles(t, filepath.Join(c.dir, copied), readFiles(t, filepath.Join(c.dir, mailRepo)))
	wantConfigs(t, run("lsjson", "--max-depth", "3", "--include", "config", "--files-only", "-R", remote), copied+"/config", mailRepo+"/config")
	node := g.node()
	if list := node.want(t, 200, "GET", "/"+localDest+"/"+copied+"/data/", nil); bytes.Count(list.body, []byte("name")) != 3 {
		t.Errorf("restic sees the packs %s", list.body)
	}

	// What does not hash to its name is not taken.
	damaged := t.TempDir()
	writeFiles(t, damaged, map[string]string{"data/ab/ab" + strings.Repeat("0", 62): "damaged"})
	if err := command("copy", "--retries", "1", "--low-level-retries", "1", damaged, remote+"/"+copied).Run(); err == nil {
		t.Error("a damaged pack was copied")
	}
	wantFiles(t, filepath.Join(c.dir, copied), readFiles(t, filepath.Join(c.dir, mailRepo)))
	if err := command("purge", remote+"/"+copied).Run(); err == nil {
		t.Error("a repository was purged")
	}

	// A module sees the destinations and what is its own.
	asModule := davRemote(t, g, module)
	if got := runCommand(t, asModule("lsf", "dav:")); got != localDest+"/\n" {
		t.Errorf("a module sees the destinations %q", got)
	}
	if got := runCommand(t, asModule("lsf", remote+"/"+mailRepo)); got != "config\ndata/\nlocks/\n" {
		t.Errorf("a module sees its repository as %q", got)
	}
	for _, args := range [][]string{
		{"lsf", remote}, {"lsf", remote + "/mail"}, {"copy", source, remote + "/" + mailRepo + "/notes"}, {"lsf", remote + "/" + copied},
	} {
		if err := asModule(append(args, "--retries", "1", "--low-level-retries", "1")...).Run(); err == nil {
			t.Errorf("a module may %q", args)
		}
	}
}

func wantConfigs(t *testing.T, listing string, want ...string) {
	t.Helper()
	var listed []struct{ Path string }
	if err := json.Unmarshal([]byte(listing), &listed); err != nil {
		t.Errorf("lsjson: %v: %s", err, listing)
	}
	var got []string
	for _, entry := range listed {
		got = append(got, entry.Path)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("lsjson finds %q; want %q", got, want)
	}
}

func readFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestCurlOverWebDAV is what an administrator types.
func TestCurlOverWebDAV(t *testing.T) {
	t.Parallel()
	curl := installed(t, "curl", "curl")
	c := newCluster(t)
	g := c.serve(t)
	node := g.node()
	run := func(args ...string) string {
		t.Helper()
		return runCommand(t, commandContext(t, curl, append([]string{"-sS", "--fail-with-body", "-u", node.user + ":" + node.password}, args...)...))
	}
	base := g.url + "/" + localDest
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	run("-X", "MKCOL", base+"/dir%20one/")
	run("-T", file, base+"/dir%20one/t%c3%a4glich") // curl leaves the case of digits alone
	if got := run(base + "/dir%20one/t%C3%A4glich"); got != "content" {
		t.Errorf("read back: %q", got)
	}
	if got := run("-r", "1-3", base+"/dir%20one/t%C3%A4glich"); got != "ont" {
		t.Errorf("a range: %q", got)
	}
	if got := run("-X", "PROPFIND", "-H", "Depth: 1", base+"/dir%20one/"); !strings.Contains(got, "<D:href>/"+localDest+"/dir%20one/t%C3%A4glich</D:href>") {
		t.Errorf("PROPFIND: %s", got)
	}
	if got := run(base + "/dir%20one/"); got != "t%C3%A4glich\n" {
		t.Errorf("the index is %q", got)
	}
	run("-X", "MOVE", "-H", "Destination: "+base+"/moved", base+"/dir%20one/t%C3%A4glich")
	run("-X", "COPY", "-H", "Destination: /"+localDest+"/copied", base+"/moved")
	run("-X", "DELETE", base+"/dir%20one")
	wantFiles(t, c.dir, map[string]string{"moved": "content", "copied": "content"})
}

// TestCadaver talks to the gateway as to a FTP server.
func TestCadaver(t *testing.T) {
	t.Parallel()
	cadaver := installed(t, "cadaver", "cadaver")
	c := newCluster(t)
	g := c.serve(t)
	node := g.node()
	home := t.TempDir()
	host := strings.TrimPrefix(g.url, "http://")
	host = host[:strings.IndexByte(host, ':')]
	writeFiles(t, home, map[string]string{
		".netrc":     fmt.Sprintf("machine %s\nlogin %s\npassword %s\n", host, node.user, node.password),
		"local file": "content",
	})
	cmd := commandContext(t, cadaver, g.url+"/"+localDest+"/")
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "HOME="+home)
	cmd.Stdin = strings.NewReader(strings.Join([]string{
		"mkcol dir", "cd dir", `put "local file" "täglich 1"`, "ls", `copy "täglich 1" copied`, `move "täglich 1" moved`,
		"get moved back", "delete copied", "cd ..", "rmcol dir", "mkcol kept", "ls", "quit", "",
	}, "\n"))
	out := runCommand(t, cmd)
	if strings.Contains(out, "failed") || strings.Contains(out, "Could not") || strings.Count(out, "succeeded") < 8 {
		t.Errorf("cadaver says:\n%s", out)
	}
	wantFiles(t, home, map[string]string{".netrc": readFiles(t, home)[".netrc"], "local file": "content", "back": "content"})
	wantFiles(t, c.dir, map[string]string{})
	if !fileExists(filepath.Join(c.dir, "kept")) || fileExists(filepath.Join(c.dir, "dir")) {
		t.Error("the directories are not as they were left")
	}
}

// TestDavfs2 mounts a destination.
func TestDavfs2(t *testing.T) {
	t.Parallel()
	if device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil || os.Geteuid() != 0 {
		testenv.Missing(t, "only root can mount, where there is /dev/fuse (modprobe fuse): %v", err)
	} else {
		device.Close()
	}
	mount := installed(t, "mount.davfs", "davfs2")
	c := newCluster(t)
	g := c.serve(t)
	node := g.node()
	// It continues as a user of its own, who may not enter the test's directory.
	dir, err := os.MkdirTemp("", "davfs2-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	at, cache := filepath.Join(dir, "mnt"), filepath.Join(dir, "cache")
	for _, made := range []string{dir, at, cache} {
		if err := errors.Join(os.MkdirAll(made, 0o700), os.Chmod(made, 0o777)); err != nil {
			t.Fatal(err)
		}
	}
	url := g.url + "/" + localDest + "/"
	writeFiles(t, dir, map[string]string{
		"secrets": fmt.Sprintf("%s %s %s\n", at, node.user, node.password),
		"conf": fmt.Sprintf("secrets %s/secrets\ncache_dir %s/cache\nask_auth 0\nuse_locks 0\ndelay_upload 0\n"+
			"gui_optimize 0\ndir_refresh 1\nfile_refresh 0\n", dir, dir),
	})
	out, err := commandContext(t, mount, url, at, "-o", "conf="+dir+"/conf").CombinedOutput()
	if err != nil {
		if bytes.Contains(out, []byte("not permitted")) || bytes.Contains(out, []byte("ermission denied")) {
			testenv.Missing(t, "mounting needs CAP_SYS_ADMIN: %s", out)
		}
		t.Fatalf("mount.davfs: %v\n%s", err, out)
	}
	unmounted := false
	unmount := func() {
		if !unmounted {
			unmounted = true
			if out, err := exec.Command("umount", at).CombinedOutput(); err != nil {
				t.Errorf("umount: %v\n%s", err, out)
			}
		}
	}
	t.Cleanup(unmount)

	files := maps.Clone(oddFiles)
	writeFiles(t, at, files)
	if err := os.Rename(filepath.Join(at, "plain.txt"), filepath.Join(at, "deep", "renamed")); err != nil {
		t.Error(err)
	}
	files["deep/renamed"] = files["plain.txt"]
	delete(files, "plain.txt")
	if err := os.Remove(filepath.Join(at, "with space")); err != nil {
		t.Error(err)
	}
	delete(files, "with space")
	if err := os.Rename(filepath.Join(at, "sub & co"), filepath.Join(at, "sub")); err != nil {
		t.Error(err)
	}
	for name, content := range oddFiles {
		if below, ok := strings.CutPrefix(name, "sub & co/"); ok {
			delete(files, name)
			files["sub/"+below] = content
		}
	}
	if got := readFiles(t, at); !maps.Equal(withoutLost(got), files) {
		t.Errorf("the mount holds %q", slices.Sorted(maps.Keys(got)))
	}
	unmount() // sends what is not sent yet
	wantFiles(t, c.dir, files)
}

// withoutLost drops the directory that davfs2 adds for what it could not send.
func withoutLost(files map[string]string) map[string]string {
	for name := range files {
		if strings.HasPrefix(name, "lost+found/") {
			delete(files, name)
		}
	}
	return files
}
