package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// becomeUser makes the host that of an ordinary user who has subordinate IDs.
func (h *clientHost) becomeUser(t *testing.T) {
	t.Helper()
	account := ordinaryUser(t)
	uid, errUID := strconv.ParseUint(account.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(account.Gid, 10, 32)
	h.check(t, errors.Join(errUID, errGID))
	h.login = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// give gives the host's files to its user.
func (h *clientHost) give(t *testing.T) {
	t.Helper()
	if h.login == nil {
		return
	}
	h.check(t, filepath.WalkDir(h.home, func(name string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(name, int(h.login.Uid), int(h.login.Gid)))
	}))
}

// awaitPodman waits until nothing of Podman works in the host's directories any more:
// behind a container that has ended somebody cleans up, and podman run does not wait
// for him.
func (h *clientHost) awaitPodman(t *testing.T) {
	t.Helper()
	var left []string
	waitUntil(t, "Podman has cleaned up", func() bool {
		left = h.processes(t)
		return len(left) == 0
	})
	if len(left) > 0 {
		t.Errorf("there are still\n%s", strings.Join(left, "\n"))
	}
}

// processes are the command lines that name the host's directory.
func (h *clientHost) processes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	h.check(t, err)
	var found []string
	for _, file := range files {
		// The process may have ended meanwhile.
		if line, err := os.ReadFile(file); err == nil && strings.Contains(string(line), h.home+"/") {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// leaveNamespace ends the process that keeps the user's namespace.
func (h *clientHost) leaveNamespace(t *testing.T) {
	t.Helper()
	if h.login != nil {
		h.run(t, "podman", "system", "migrate")
	}
}

var ordinaryUserMutex sync.Mutex

// ordinaryUser is a user with subordinate IDs. In CI one is made where there is
// none; to make one on somebody's machine is not for us.
func ordinaryUser(t *testing.T) *user.User {
	t.Helper()
	ordinaryUserMutex.Lock()
	defer ordinaryUserMutex.Unlock()
	if account := subordinateUser(); account != nil {
		return account
	}
	if os.Getenv("CI") == "" {
		t.Skip("rootless containers need uidmap, and an ordinary user in /etc/subuid and /etc/subgid: useradd makes one")
	}
	const name, ids = "gateway-test", "300000-365535"
	for _, args := range [][]string{
		{"useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name},
		{"usermod", "--add-subuids", ids, "--add-subgids", ids, name},
	} {
		if output, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", args, err, output)
		}
	}
	return subordinateUser()
}

func subordinateUser() *user.User {
	ranges, err := os.ReadFile("/etc/subuid")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(ranges)) {
		name, _, _ := strings.Cut(line, ":")
		if account, err := user.Lookup(name); err == nil && account.Uid != "0" {
			return account
		}
	}
	return nil
}

// imageStores are Podman's stores that hold the image of restic, each for those
// containers of one user that run one version. All tests share them, read-only.
var imageStores struct {
	sync.Mutex
	dirs map[string]string
}

// imageStore is the store that has the image, made when first asked for.
func (h *clientHost) imageStore(t *testing.T, version string) string {
	t.Helper()
	imageStores.Lock()
	defer imageStores.Unlock()
	key := version + " " + h.kind
	if dir, ok := imageStores.dirs[key]; ok {
		return dir
	}
	dir, err := os.MkdirTemp("/tmp", "gw")
	h.check(t, err)
	if imageStores.dirs == nil {
		imageStores.dirs = map[string]string{}
	}
	imageStores.dirs[key] = dir
	maker := &clientHost{kind: h.kind, home: dir, login: h.login, env: append(slices.Clone(h.env), "HOME="+dir, "XDG_RUNTIME_DIR="+dir+"/run")}
	h.check(t, os.Mkdir(maker.path("run"), 0o700))
	maker.configurePodman(t, "")
	maker.give(t)
	maker.podman(t, "import", "--quiet", "--change", `ENTRYPOINT ["/usr/bin/restic"]`, imageArchive(t, version), clientImage)
	maker.leaveNamespace(t)
	return dir
}

func removeImageStores() {
	for _, dir := range imageStores.dirs {
		_ = os.RemoveAll(dir)
	}
}

// imageArchive holds restic and the libraries it needs.
func imageArchive(t *testing.T, version string) string {
	t.Helper()
	restic, dir := resticBinary(t, version), publicDir(t)
	root, archive := filepath.Join(dir, "rootfs"), filepath.Join(dir, "image.tar")
	copyFile(t, restic, filepath.Join(root, "usr/bin/restic"), 0o755)
	// A static binary has none, and ldd says so by its exit status.
	libraries, _ := exec.CommandContext(t.Context(), "ldd", restic).Output()
	for field := range strings.FieldsSeq(string(libraries)) {
		if filepath.IsAbs(field) {
			copyFile(t, field, filepath.Join(root, field), 0o755)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.CommandContext(t.Context(), "tar", "-C", root, "-cf", archive, ".").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, output)
	}
	if err := os.Chmod(archive, 0o644); err != nil {
		t.Fatal(err)
	}
	return archive
}

// configurePodman gives the host a store of its own, beside the one that has the
// image, and locks of its own: Podman's are shared by all stores of a user.
func (h *clientHost) configurePodman(t *testing.T, images string) {
	t.Helper()
	h.env = append(h.env, "CONTAINERS_CONF="+h.path("containers.conf"), "CONTAINERS_STORAGE_CONF="+h.path("storage.conf"))
	// Virtual machines without CAP_SYS_RESOURCE and with hybrid cgroups need the
	// limits and runc.
	h.write(t, "containers.conf", fmt.Sprintf(`[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
lock_type = "file"
tmp_dir = %q
`, h.path("t")), 0o644)
	storage := fmt.Sprintf("[storage]\ndriver = \"vfs\"\nrunroot = %q\ngraphroot = %q\nrootless_storage_path = %q\n",
		h.path("r"), h.path("graph"), h.path("graph"))
	if images != "" {
		storage += fmt.Sprintf("[storage.options]\nadditionalimagestores = [%q]\n", filepath.Join(images, "graph"))
	}
	h.write(t, "storage.conf", storage, 0o644)
}
