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
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
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
	case err != nil:
		testenv.Missing(t, "needs user namespaces (sysctl kernel.unprivileged_userns_clone, or root): %v", err)
	}
	return false
}

func mount(t *testing.T, source, target, kind string, flags uintptr) {
	t.Helper()
	if err := unix.Mount(source, target, kind, flags, ""); err != nil {
		t.Fatalf("mount %s on %s: %v", source, target, err)
	}
}

// removableDisk comes and goes below its mount point.
type removableDisk struct {
	content    string // a mount of its own, which stays
	mountPoint string
}

func newRemovableDisk(t *testing.T) *removableDisk {
	t.Helper()
	base := t.TempDir()
	d := &removableDisk{filepath.Join(base, "disk"), filepath.Join(base, "mnt")}
	for _, dir := range []string{d.content, d.mountPoint} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mount(t, "tmpfs", d.content, "tmpfs", 0)
	t.Cleanup(func() { _ = unix.Unmount(d.content, 0) })
	return d
}

func (d *removableDisk) plug(t *testing.T) {
	t.Helper()
	mount(t, d.content, d.mountPoint, "", unix.MS_BIND)
}

// unplug takes the disk away as an administrator may at any time: the gateway keeps
// nothing open on it, though it may just be asking for its free space.
func (d *removableDisk) unplug(t *testing.T) {
	t.Helper()
	waitFor(t, "the disk to be unmounted under the gateway", func() bool {
		err := unix.Unmount(d.mountPoint, 0)
		if err != nil && !errors.Is(err, unix.EBUSY) {
			t.Fatalf("unmount under the gateway: %v", err)
		}
		return err == nil
	})
}

// TestUnmountedDiskNeverLooksEmpty takes the disk of a destination away from a
// running gateway, and from one that starts without it.
func TestUnmountedDiskNeverLooksEmpty(t *testing.T) {
	if !mayMount(t) {
		return
	}
	c := newCluster(t)
	disk, state := newRemovableDisk(t), t.TempDir()
	// What was there before there were markers is adopted.
	repo := filepath.Join(disk.content, mailRepo)
	config := []byte("config of a repository that rclone serve restic made")
	if err := errors.Join(os.MkdirAll(repo, 0o700), os.WriteFile(filepath.Join(repo, "config"), config, 0o600)); err != nil {
		t.Fatal(err)
	}
	disk.plug(t)
	c.AddLocalDestination(moreDest, disk.mountPoint)
	withState := func(o *gateway.Options) { o.StateDir = state }
	g := c.serve(t, withState)
	path := "/" + moreDest + "/" + mailRepo
	g.module("mail1").want(t, http.StatusOK, http.MethodHead, path+"/config", nil)

	disk.unplug(t)
	wantAway(t, g, disk.mountPoint)
	restarted := c.serve(t, withState)
	wantAway(t, restarted, disk.mountPoint)

	disk.plug(t)
	content, name := blob(1000)
	for _, g := range []*served{g, restarted} {
		g.module("mail1").want(t, http.StatusOK, http.MethodHead, path+"/config", nil)
		g.module("mail1").want(t, http.StatusOK, http.MethodPost, path+"/data/"+name, content)
	}
	disk.unplug(t)
	testMovedDestination(t, c, disk, g, restarted)
}

// wantAway asks moreDest, whose disk is not below mountPoint, for everything: it is
// unavailable, nothing is written there, and all others are served.
func wantAway(t *testing.T, g *served, mountPoint string) {
	t.Helper()
	path := "/" + moreDest + "/" + mailRepo
	content, name := blob(1000)
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
		{http.MethodPost, "/config", otherConfig},
		{http.MethodPost, "/data/" + name, content},
		{http.MethodDelete, "/locks/" + name, nil},
	} {
		g.module("mail1").want(t, http.StatusServiceUnavailable, r.method, path+r.path, r.body)
	}
	if left := filesBelow(t, mountPoint); len(left) != 0 {
		t.Errorf("below the mount point are %v; want nothing", left)
	}
	g.log.want(t, "is not mounted", moreDest, mountPoint)
	g.module("mail1").want(t, http.StatusOK, http.MethodPost, "/"+localDest+"/"+mailRepo+"/data/"+name, content)
}

// testMovedDestination moves moreDest, whose disk is away, to another directory: on
// that disk it is still away, and on another it is new.
func testMovedDestination(t *testing.T, c *cluster, away *removableDisk, gateways ...*served) {
	t.Helper()
	path := "/" + moreDest + "/" + mailRepo
	move := func(dir string, status int) {
		t.Helper()
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		c.AddLocalDestination(moreDest, dir)
		for _, g := range gateways {
			if err := g.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			g.module("mail1").want(t, status, http.MethodHead, path+"/config", nil)
		}
	}
	move(filepath.Join(away.mountPoint, "sub"), http.StatusServiceUnavailable)
	move(t.TempDir(), http.StatusNotFound)
	content, name := blob(1000)
	for _, g := range gateways {
		g.module("mail1").want(t, http.StatusOK, http.MethodPost, path+"/?create=true", nil)
		g.module("mail1").want(t, http.StatusOK, http.MethodPost, path+"/data/"+name, content)
	}
}
