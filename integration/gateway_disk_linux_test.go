package integration

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/gateway"
)

// childEnv is set in a process that a test started to run itself in.
const childEnv = "RCLONE_GATEWAY_TEST_CHILD"

// mayMount runs the calling test in a child that may mount, in a namespace of
// its own. It returns true in the child.
func mayMount(t *testing.T) bool {
	t.Helper()
	if os.Getenv(childEnv) != "" {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	_, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case ended:
		t.Fatalf("in the child: %v\n%s", err, out)
	case err != nil && os.Getenv("CI") == "":
		t.Skipf("needs user namespaces (sysctl kernel.unprivileged_userns_clone, or root): %v", err)
	case err != nil:
		t.Fatalf("start a child in a user namespace: %v", err)
	}
	return false
}

func mount(t *testing.T, source, target, kind string, flags uintptr) {
	t.Helper()
	if err := unix.Mount(source, target, kind, flags, ""); err != nil {
		t.Fatalf("mount %s on %s: %v", source, target, err)
	}
}

// TestUnmountedDiskNeverLooksEmpty takes the disk of a destination away from a
// running gateway, and from one that starts without it.
func TestUnmountedDiskNeverLooksEmpty(t *testing.T) {
	if !mayMount(t) {
		return
	}
	c := newCluster(t)
	base := t.TempDir()
	disk, mountPoint, state := filepath.Join(base, "disk"), filepath.Join(base, "mnt"), filepath.Join(base, "state")
	for _, dir := range []string{disk, mountPoint} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mount(t, "tmpfs", disk, "tmpfs", 0)
	t.Cleanup(func() { _ = unix.Unmount(disk, 0) })
	plug := func() { t.Helper(); mount(t, disk, mountPoint, "", unix.MS_BIND) }
	unplug := func() {
		t.Helper()
		if err := unix.Unmount(mountPoint, 0); err != nil {
			t.Fatalf("unmount under the gateway: %v", err)
		}
	}
	// What was there before there were markers is adopted.
	config := []byte("config of a repository that rclone serve restic made")
	repo := filepath.Join(disk, mailRepo)
	if err := errors.Join(os.MkdirAll(repo, 0o700), os.WriteFile(filepath.Join(repo, "config"), config, 0o600)); err != nil {
		t.Fatal(err)
	}
	plug()
	c.AddLocalDestination(moreDest, mountPoint)
	withState := func(o *gateway.Options) { o.StateDir = state }
	g := c.serve(t, withState)
	path := "/" + moreDest + "/" + mailRepo
	content, name := blob(1000)
	g.module("mail1").want(t, http.StatusOK, http.MethodHead, path+"/config", nil)

	wantAway := func(g *served) {
		t.Helper()
		for _, r := range []struct {
			method, path string
			body         []byte
		}{
			{http.MethodHead, "/config", nil},
			{http.MethodGet, "/config", nil},
			{http.MethodGet, "/data/", nil},
			{http.MethodGet, "/locks/", nil},
			{http.MethodGet, "/data/" + name, nil},
			{http.MethodPost, "/?create=true", nil},
			{http.MethodPost, "/config", config},
			{http.MethodPost, "/data/" + name, content},
			{http.MethodDelete, "/locks/" + name, nil},
		} {
			g.module("mail1").want(t, http.StatusServiceUnavailable, r.method, path+r.path, r.body)
		}
		if left := filesBelow(t, mountPoint); len(left) != 0 {
			t.Errorf("below the mount point are %v; want nothing", left)
		}
		g.log.want(t, "is not mounted", moreDest, mountPoint)
		target := "/" + localDest + "/" + mailRepo + "/data/" + name
		g.module("mail1").want(t, http.StatusOK, http.MethodPost, target, content)
	}
	unplug()
	wantAway(g)
	restarted := c.serve(t, withState)
	wantAway(restarted)
	plug()
	for _, g := range []*served{g, restarted} {
		g.module("mail1").want(t, http.StatusOK, http.MethodHead, path+"/config", nil)
		g.module("mail1").want(t, http.StatusOK, http.MethodPost, path+"/data/"+name, content)
	}
	unplug()

	// It moves to another directory: to one of that disk, and to one of another.
	elsewhere := t.TempDir()
	for dir, status := range map[string]int{filepath.Join(mountPoint, "sub"): http.StatusServiceUnavailable, elsewhere: http.StatusNotFound} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		c.AddLocalDestination(moreDest, dir)
		for _, g := range []*served{g, restarted} {
			if err := g.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			g.module("mail1").want(t, status, http.MethodHead, path+"/config", nil)
		}
	}
	c.AddLocalDestination(moreDest, elsewhere)
	for _, g := range []*served{g, restarted} {
		if err := g.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		g.module("mail1").want(t, http.StatusOK, http.MethodPost, path+"/?create=true", nil)
		g.module("mail1").want(t, http.StatusOK, http.MethodPost, path+"/data/"+name, content)
	}
}
