package local

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// childEnv is set in a process that a test started to run itself in.
const childEnv = "RCLONE_GATEWAY_TEST_CHILD"

// child is the command that runs this test once more, as another process.
func child(t *testing.T, value string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), childEnv+"="+value)
	return cmd
}

// inNamespace runs the calling test in a child with a user namespace of its own,
// where this user has the given id: as 0 it may mount, as any other it has no
// privileges left. It returns true in the child.
func inNamespace(t *testing.T, uid int) bool {
	t.Helper()
	if os.Getenv(childEnv) != "" {
		return true
	}
	cmd := child(t, "1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		t.Fatalf("in the child: %v\n%s", err, out)
	case err != nil:
		testenv.Missing(t, "needs user namespaces (sysctl kernel.unprivileged_userns_clone, or root): %v", err)
	}
	return false
}

func TestKilledUploadLeavesTheOldObjectAlone(t *testing.T) {
	if root := os.Getenv(childEnv); root != "" {
		s, err := Open(root)
		if err != nil {
			t.Fatal(err)
		}
		s.named.Store(os.Getenv(childEnv+"_NAMED") != "")
		t.Fatal(s.Put(t.Context(), filepath.ToSlash(os.Getenv(childEnv+"_NAME")), 2<<20, os.Stdin))
	}
	for i, name := range []string{pack, config, pack, config} {
		s := open(t)
		s.named.Store(i >= 2)
		put(t, s, config, []byte("old config"))
		killUpload(t, s, name)
		if got := read(t, s, config); got != "old config" {
			t.Errorf("config is %q after the upload of %s was killed", got, name)
		}
		if _, err := s.Stat(t.Context(), pack); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Stat(pack) after the upload of %s was killed = %v", name, err)
		}
		if names, err := list(t, s, "."); err != nil || len(names) != 1 {
			t.Errorf("List after the upload of %s was killed = %v, %v; want the config", name, names, err)
		}
		put(t, s, name, []byte("new"))
		if got := read(t, s, name); got != "new" {
			t.Errorf("%s is %q after it was put again", name, got)
		}
	}
}

// killUpload kills a process in the middle of its Put of name.
func killUpload(t *testing.T, s *Store, name string) {
	t.Helper()
	cmd := child(t, s.root)
	cmd.Env = append(cmd.Env, childEnv+"_NAME="+name)
	want := 0
	if s.named.Load() {
		cmd.Env = append(cmd.Env, childEnv+"_NAMED=1")
		want = 1
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// All but what a pipe holds has been read when this returns.
	_, writeErr := stdin.Write(make([]byte, 1<<20))
	killErr := cmd.Process.Kill()
	waitErr := cmd.Wait()
	if err := errors.Join(writeErr, killErr); err != nil {
		t.Fatalf("%v, %v\n%s", err, waitErr, out.Bytes())
	}
	if temps, err := filepath.Glob(filepath.Join(filepath.Dir(s.path(name)), tempPrefix+"*")); err != nil || len(temps) != want {
		t.Fatalf("the killed upload left %v, %v; want %d temporary files", temps, err, want)
	}
}

// openSmallDisk opens a store on a disk of 1 MiB.
func openSmallDisk(t *testing.T) *Store {
	t.Helper()
	s := open(t)
	if err := unix.Mount("tmpfs", s.root, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatalf("mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(s.root, 0); err != nil {
			t.Errorf("unmount, although the store holds no descriptor: %v", err)
		}
	})
	return s
}

func TestFullDisk(t *testing.T) {
	if !inNamespace(t, 0) {
		return
	}
	s := openSmallDisk(t)
	put(t, s, config, []byte("old config"))
	for _, name := range []string{pack, config} {
		err := s.Put(t.Context(), name, 2<<20, io.LimitReader(zeros{}, 2<<20))
		if !errors.Is(err, unix.ENOSPC) {
			t.Errorf("Put(%s) on a full disk = %v; want ENOSPC", name, err)
		}
	}
	if got := read(t, s, config); got != "old config" {
		t.Errorf("config is %q", got)
	}
	if names, err := list(t, s, "."); err != nil || len(names) != 1 {
		t.Errorf("List = %v, %v; want the config", names, err)
	}
	put(t, s, pack, make([]byte, 900<<10)) // which there is only room for if nothing was left
}

func TestReadOnlyDisk(t *testing.T) {
	if !inNamespace(t, 0) {
		return
	}
	s := openSmallDisk(t)
	put(t, s, pack, []byte("pack"))
	if err := unix.Mount("", s.root, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatalf("remount read-only: %v", err)
	}
	for _, name := range []string{pack, config, "other/dir/object"} {
		if err := s.Put(t.Context(), name, 1, strings.NewReader("x")); !errors.Is(err, unix.EROFS) {
			t.Errorf("Put(%s) = %v; want EROFS", name, err)
		}
	}
	if err := s.Remove(t.Context(), pack); !errors.Is(err, unix.EROFS) {
		t.Errorf("Remove = %v; want EROFS", err)
	}
	if got := read(t, s, pack); got != "pack" {
		t.Errorf("read %q", got)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// What the gateway may not look at is neither absent nor forbidden to the client.
func TestMissingPermissions(t *testing.T) {
	if !inNamespace(t, 1000) {
		return
	}
	for _, dir := range []string{shard, "app/uuid/data", "app", "."} {
		s := open(t)
		put(t, s, pack, []byte("pack"))
		put(t, s, "app/uuid/data/cd/cd", []byte("readable"))
		if err := os.Chmod(s.path(dir), 0); err != nil {
			t.Fatal(err)
		}
		for op, err := range attempts(t, s, "app/uuid/data", pack) {
			if !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
				t.Errorf("%s below %s without permissions = %v; want storage.ErrUnavailable", op, dir, err)
			}
		}
		if err := os.Chmod(s.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
		if got := read(t, s, pack); got != "pack" {
			t.Errorf("read %q", got)
		}
	}
	s := open(t)
	put(t, s, pack, []byte("pack"))
	if err := os.Chmod(s.path(pack), 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Open(t.Context(), pack, 0, -1); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Open of an unreadable object = %v; want storage.ErrUnavailable", err)
	}
}

// TestADirectoryThatMayOnlyBeRead is distinguished from one that the gateway may not look at:
// reading continues, and no repetition makes writing work.
func TestADirectoryThatMayOnlyBeRead(t *testing.T) {
	if !inNamespace(t, 1000) {
		return
	}
	s := open(t)
	put(t, s, pack, []byte("pack"))
	for _, dir := range []string{shard, "app/uuid/data", "app/uuid"} {
		if err := os.Chmod(s.path(dir), 0o500); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(s.path(dir), 0o700) })
	}
	for op, err := range map[string]error{
		"put beside":        s.Put(t.Context(), pack+"0", 1, strings.NewReader("x")),
		"put another shard": s.Put(t.Context(), "app/uuid/data/ef/ef", 1, strings.NewReader("x")),
		"put a lock":        s.Put(t.Context(), "app/uuid/locks/ef", 1, strings.NewReader("x")),
		"remove":            s.Remove(t.Context(), pack),
	} {
		if !errors.Is(err, storage.ErrReadOnly) || errors.Is(err, storage.ErrUnavailable) || errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s = %v; want storage.ErrReadOnly", op, err)
		}
	}
	if got := read(t, s, pack); got != "pack" {
		t.Errorf("read %q", got)
	}
}

// TestDiskThatIsUnmounted is what the marker is for: the directory below the
// mount point is there, and empty.
func TestDiskThatIsUnmounted(t *testing.T) {
	if !inNamespace(t, 0) {
		return
	}
	mountPoint := t.TempDir()
	disk := func() { // the same content each time
		t.Helper()
		if err := unix.Mount("tmpfs", mountPoint, "tmpfs", 0, "size=1m"); err != nil {
			t.Fatalf("mount a tmpfs: %v", err)
		}
	}
	disk()
	t.Cleanup(func() { _ = unix.Unmount(mountPoint, 0) })
	var m memory
	s := openMarked(t, mountPoint, &m)
	put(t, s, config, []byte("config"))
	if got, _, _ := m.Seen(destID, mountPoint); got != mountPoint {
		t.Errorf("the mount point is remembered as %q; want %q", got, mountPoint)
	}
	if err := unix.Unmount(mountPoint, 0); err != nil {
		t.Fatal(err)
	}
	wantDetached(t, s)
	wantDetached(t, openMarked(t, mountPoint, &m))
	if left, err := os.ReadDir(mountPoint); err != nil || len(left) != 0 {
		t.Errorf("below the mount point is %v, %v; want nothing", left, err)
	}
	disk() // another one, without a marker
	wantDetached(t, s)
	if err := os.WriteFile(filepath.Join(mountPoint, markerName), []byte(destID), 0o600); err != nil {
		t.Fatal(err)
	}
	put(t, s, config, []byte("config"))
	if got := read(t, s, config); got != "config" {
		t.Errorf("read %q", got)
	}
}
