package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// A module is backed up, lost, and restored as another one, by the client as it
// is built, through the gateway as it is built, with real restic in containers of
// an ordinary user, in containers of root, and without a container.

const (
	clientDestination = "14030a59-a4e6-54cc-b8ea-cd5f97fe44c8"
	clientImage       = "docker.io/restic/restic:test"
)

// savedModule is backed up, newModule gets its files.
var (
	savedModule = redistest.Module{ID: "mymodule1", UUID: "9a0fcb6d-5f5b-4f6e-a4f5-1a6b3a4b2c01"}
	newModule   = redistest.Module{ID: "mymodule2", UUID: "1c8a8c0e-90c5-4c5e-8a0f-0d8f2a3c4d02"}
)

func TestModuleLosesNothing(t *testing.T) {
	for _, version := range []string{"0.14", "0.18"} {
		for _, kind := range []string{"native", "rootfull", "rootless"} {
			t.Run("restic "+version+" "+kind, func(t *testing.T) {
				world := newClientWorld(t)
				backup := world.newHost(t, version, kind, savedModule)
				backup.fill(t)
				backup.ctl(t, "module-backup", clientSchedule).succeed(t)
				if left := backup.dumpFiles(t); len(left) > 0 {
					t.Errorf("the backup left %q in the state directory", left)
				}
				want := backup.tree(t)

				restored := world.newHost(t, version, kind, newModule)
				restored.request(t).succeed(t)
				restored.compare(t, want)
				restored.compareKeys(t)
			})
		}
	}
}

func TestRuntimesReadEachOthersSnapshots(t *testing.T) {
	for _, pair := range [][2]string{{"native", "rootfull"}, {"rootfull", "native"}} {
		t.Run(pair[0]+" to "+pair[1], func(t *testing.T) {
			world := newClientWorld(t)
			backup := world.newHost(t, "0.18", pair[0], savedModule)
			backup.fill(t)
			backup.ctl(t, "module-backup", clientSchedule).succeed(t)
			want := backup.tree(t)
			restored := world.newHost(t, "0.18", pair[1], newModule)
			restored.request(t).succeed(t)
			restored.compare(t, want)
		})
	}
}

// TestSecondBackupFindsItsParent saves a module that plain restic has saved
// before, as another host.
func TestSecondBackupFindsItsParent(t *testing.T) {
	for _, version := range []string{"0.14", "0.18"} {
		t.Run("restic "+version, func(t *testing.T) {
			world := newClientWorld(t)
			host := world.newHost(t, version, "native", savedModule)
			host.fill(t)
			host.restic(t, "init")
			host.restic(t, "backup", "--host=oldnode", "state", "volumes/data")
			got := host.ctl(t, "module-backup", "--json", clientSchedule).succeed(t)
			var summary struct {
				BytesAdded uint64 `json:"bytes_added"`
				BytesRead  uint64 `json:"bytes_read"`
			}
			lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &summary); err != nil {
				t.Fatal(err)
			}
			if list := host.restic(t, "snapshots", "--json"); !strings.Contains(list, `"parent"`) {
				t.Errorf("no snapshot has a parent: %s", list)
			}
			if summary.BytesRead < 1<<20 || summary.BytesAdded > 1<<20 {
				t.Errorf("%d bytes were read and %d added; want next to nothing added", summary.BytesRead, summary.BytesAdded)
			}
		})
	}
}

// TestInterruptedBackup ends a backup by a signal: no container stays, the next
// backup works, and no lock stays then.
func TestInterruptedBackup(t *testing.T) {
	for _, kind := range []string{"native", "rootfull"} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(kind+" "+unix.SignalName(sig), func(t *testing.T) {
				world := newClientWorld(t)
				host := world.newHost(t, "0.14", kind, savedModule)
				host.fill(t)
				host.ctl(t, "module-backup", clientSchedule).succeed(t)
				host.addBulk(t, 64)
				host.interrupt(t, sig)
				// Restic itself dies, and leaves its lock, when it has nobody left to
				// write to; Podman listens to it until it ends.
				if kind == "rootfull" || sig == syscall.SIGTERM {
					waitUntil(t, "the lock is dropped", func() bool { return len(world.objects(t, "locks")) == 0 })
				}
				if kind == "rootfull" {
					waitUntil(t, "the container is gone", func() bool { return host.podman(t, "ps", "--all", "--quiet") == "" })
				}
				host.ctl(t, "module-backup", clientSchedule).succeed(t)
				if n := len(world.objects(t, "snapshots")); n != 2 {
					t.Errorf("%d snapshots, want 2", n)
				}
				if locks := world.objects(t, "locks"); len(locks) > 0 {
					t.Errorf("locks %q stay after a backup that was well", locks)
				}
			})
		}
	}
}

func TestGatewayAway(t *testing.T) {
	world := newClientWorld(t)
	host := world.newHost(t, "0.14", "native", savedModule)
	host.fill(t)
	world.stopGateway(t)
	got := host.ctl(t, "module-backup", clientSchedule)
	if got.code != 5 || !strings.Contains(got.stderr, "cannot be reached") {
		t.Errorf("exit status %d: %s", got.code, got.stderr)
	}
}

const clientSchedule = "1"

// clientWorld is a cluster: Redis, the gateway, and a destination on disk.
type clientWorld struct {
	redis    *redistest.Server
	storage  string
	endpoint string
	gateway  *exec.Cmd
}

func newClientWorld(t *testing.T) *clientWorld {
	t.Helper()
	return newClientWorldAt(t, publicDir(t))
}

// newClientWorldAt has its destination in the directory storage.
func newClientWorldAt(t *testing.T, storage string) *clientWorld {
	t.Helper()
	w := &clientWorld{redis: redistest.Start(t), storage: storage}
	w.redis.SetupNS8()
	w.redis.AddLocalDestination(clientDestination, w.storage)
	w.redis.AddModules(savedModule, newModule)
	w.redis.AddSchedule(redistest.Schedule{ID: clientSchedule, Repository: clientDestination, Name: "nightly", Instances: []string{savedModule.ID}})
	w.redis.Grant(newModule.UUID, savedModule.UUID)
	w.startGateway(t)
	return w
}

func (w *clientWorld) startGateway(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	w.gateway = exec.Command(program(t, "RCLONE_GATEWAY", "bin/rclone-gateway"), "serve", "--addr", address)
	w.gateway.Env = append(os.Environ(), "REDIS_ADDRESS="+w.redis.Addr, "REDIS_USER=node/1",
		"REDIS_PASSWORD="+redistest.Password("node/1"), "NODE_ID=1")
	w.gateway.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	w.gateway.Stderr = t.Output()
	if err := w.gateway.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.stopGateway(t) })
	w.endpoint = "http://" + address
	waitUntil(t, "the gateway is ready", func() bool {
		response, err := http.Get(w.endpoint + "/-/ready")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

func (w *clientWorld) stopGateway(t *testing.T) {
	t.Helper()
	if w.gateway == nil {
		return
	}
	_ = w.gateway.Process.Kill()
	_ = w.gateway.Wait()
	w.gateway = nil
}

// objects are the names of a repository's objects of one type, as they lie in the
// storage.
func (w *clientWorld) objects(t *testing.T, kind string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(w.storage, "mymodule", savedModule.UUID, kind))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// packs is the number of the repository's data objects.
func (w *clientWorld) packs(t *testing.T) int {
	t.Helper()
	n := 0
	for _, folder := range w.objects(t, "data") {
		n += len(w.objects(t, "data/"+folder))
	}
	return n
}

// clientHost is a node with one module on it.
type clientHost struct {
	world  *clientWorld
	module redistest.Module
	kind   string // "native", "rootfull", "rootless"
	home   string
	env    []string
	login  *syscall.Credential // nil: as we are
}

func (w *clientWorld) newHost(t *testing.T, version, kind string, module redistest.Module) *clientHost {
	t.Helper()
	h := &clientHost{world: w, module: module, kind: kind, home: publicDir(t)}
	if kind != "native" && os.Geteuid() != 0 {
		missing(t, "containers of root, and of another user, need root")
	}
	bin, state, install := h.path("bin"), h.path("state"), h.path("install")
	for _, dir := range []string{bin, state, h.path("volumes"), filepath.Join(install, "etc"), filepath.Join(install, "bin"), filepath.Join(install, "actions", "restore-module"), h.path("run")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(h.path("run"), 0o700); err != nil {
		t.Fatal(err)
	}
	runtime := "podman"
	if kind == "native" {
		runtime = "native"
		if err := os.Symlink(resticBinary(t, version), filepath.Join(bin, "restic")); err != nil {
			t.Fatal(err)
		}
	}
	copyFile(t, program(t, "GATEWAYCTL", "bin/gatewayctl"), filepath.Join(bin, "gatewayctl"), 0o755)
	userName := "module/" + module.ID
	h.env = []string{
		"PATH=" + filepath.Join(install, "bin") + ":" + bin + ":" + os.Getenv("PATH"), "HOME=" + h.home, "TMPDIR=/tmp",
		"XDG_RUNTIME_DIR=" + h.path("run"), "NS8_RESTIC_RUNTIME=" + runtime, "NS8_GATEWAY_URL=" + w.endpoint,
		"NS8_CORE_ENV=" + h.path("core.env"), "NS8_AGENT_ENV=" + h.path("agent.env"),
		"AGENT_STATE_DIR=" + state, "AGENT_INSTALL_DIR=" + install, "AGENT_ID=" + userName,
		"MODULE_ID=" + module.ID, "MODULE_UUID=" + module.UUID, "IMAGE_URL=ghcr.io/nethserver/mymodule:1.0.0",
		"REDIS_USER=" + userName, "REDIS_PASSWORD=" + redistest.Password(userName),
		"REDIS_ADDRESS=" + w.redis.Addr, "REDIS_REPLICA_ADDRESS=" + w.redis.Addr,
		"STORAGE_DRIVER=vfs", "CONTAINERS_CONF=" + h.path("containers.conf"), "RESTIC_CACHE_DIR=" + h.path("cache"),
	}
	// Virtual machines without CAP_SYS_RESOURCE and with hybrid cgroups need this.
	h.write(t, "containers.conf", "[containers]\ndefault_ulimits = [\"nofile=1024:1024\",\"nproc=1024:1024\"]\n[engine]\nruntime = \"runc\"\n", 0o644)
	h.write(t, "core.env", "RESTIC_IMAGE="+clientImage+"\n", 0o644)
	h.write(t, "state/environment", "MODULE_ID="+module.ID+"\n", 0o600)
	h.write(t, "install/etc/state-include.conf", "state/*.dump\nstate/things\nvolumes/data", 0o644)
	h.write(t, "install/etc/state-exclude.conf", "*.tmp\nenvironment.bak\n", 0o644)
	h.write(t, "install/bin/module-dump-state", "#!/bin/bash\nset -e\nredis-dump module/$MODULE_ID/mykey > mykey.dump\nredis-dump --match \"module/$MODULE_ID/typed/*\" > typed.dump\n", 0o755)
	h.write(t, "install/bin/module-cleanup-state", "#!/bin/bash\nrm -f mykey.dump typed.dump\n", 0o755)
	h.write(t, "install/actions/restore-module/20loadkey", "#!/bin/bash\nset -e\nredis-restore $MODULE_ID/mykey < mykey.dump\nredis-restore < typed.dump\n", 0o755)
	h.write(t, "install/actions/restore-module/30cleanup", "#!/bin/bash\nrm -f mykey.dump typed.dump\n", 0o755)
	h.run(t, "gatewayctl", "install-links", bin).succeed(t)
	switch kind {
	case "rootfull":
		h.env = append(h.env, "CONTAINERS_STORAGE_CONF="+h.path("storage.conf"))
		h.write(t, "storage.conf", fmt.Sprintf("[storage]\ndriver = \"vfs\"\ngraphroot = %q\nrunroot = %q\n", h.path("graph"), h.path("r")), 0o644)
	case "rootless":
		h.becomeUser(t)
	}
	if kind != "native" {
		h.importImage(t, resticBinary(t, version))
	}
	return h
}

// becomeUser gives the host to an ordinary user who has subordinate IDs.
func (h *clientHost) becomeUser(t *testing.T) {
	t.Helper()
	account := ordinaryUser(t)
	uid, errUID := strconv.ParseUint(account.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(account.Gid, 10, 32)
	h.check(t, errors.Join(errUID, errGID))
	h.login = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	h.check(t, filepath.WalkDir(h.home, func(name string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(name, int(uid), int(gid)))
	}))
	// The process that keeps the user's namespace would outlive the test.
	t.Cleanup(func() { h.run(t, "podman", "system", "migrate") })
}

// ordinaryUser is a user with subordinate IDs. In CI one is made where there is
// none; to make one on somebody's machine is not for us.
func ordinaryUser(t *testing.T) *user.User {
	t.Helper()
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

// importImage makes an image of restic and the libraries it needs.
func (h *clientHost) importImage(t *testing.T, restic string) {
	t.Helper()
	root := filepath.Join(publicDir(t), "rootfs")
	copyFile(t, restic, filepath.Join(root, "usr/bin/restic"), 0o755)
	// A static binary has none, and ldd says so by its exit status.
	libraries, _ := exec.Command("ldd", restic).Output()
	for field := range strings.FieldsSeq(string(libraries)) {
		if filepath.IsAbs(field) {
			copyFile(t, field, filepath.Join(root, field), 0o755)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(filepath.Dir(root), "image.tar")
	if output, err := exec.Command("tar", "-C", root, "-cf", archive, ".").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, output)
	}
	if err := os.Chmod(archive, 0o644); err != nil {
		t.Fatal(err)
	}
	h.podman(t, "import", "--quiet", "--change", `ENTRYPOINT ["/usr/bin/restic"]`, archive, clientImage)
}

func (h *clientHost) path(name string) string { return filepath.Join(h.home, name) }

func (h *clientHost) write(t *testing.T, name, content string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(h.path(name), []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(h.path(name), mode); err != nil {
		t.Fatal(err)
	}
}

// result is what a program gave.
type result struct {
	code           int
	stdout, stderr string
}

func (r result) succeed(t *testing.T) result {
	t.Helper()
	if r.code != 0 {
		t.Fatalf("exit status %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	return r
}

func (h *clientHost) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("env", append([]string{name}, args...)...)
	cmd.Env, cmd.Dir = h.env, h.home
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: h.login}
	return cmd
}

func (h *clientHost) run(t *testing.T, name string, args ...string) result {
	t.Helper()
	return runCommand(t, h.command(name, args...))
}

func runCommand(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func (h *clientHost) ctl(t *testing.T, applet string, args ...string) result {
	t.Helper()
	return h.run(t, applet, args...)
}

func (h *clientHost) podman(t *testing.T, args ...string) string {
	t.Helper()
	return strings.TrimSpace(h.run(t, "podman", args...).succeed(t).stdout)
}

// resticCommand is plain restic on the saved module's repository, as a user whom
// the gateway knows, from the directory above the state.
func (h *clientHost) resticCommand(userName string, args ...string) *exec.Cmd {
	cmd := h.command("restic", args...)
	address := strings.Replace(h.world.endpoint, "//", "//"+strings.ReplaceAll(userName, "/", "%2F")+":"+redistest.Password(userName)+"@", 1)
	cmd.Env = append(slices.Clone(cmd.Env),
		"RESTIC_REPOSITORY=rest:"+address+"/"+clientDestination+"/mymodule/"+savedModule.UUID,
		"RESTIC_PASSWORD="+redistest.Password(clientDestination))
	return cmd
}

// restic runs plain restic as the module.
func (h *clientHost) restic(t *testing.T, args ...string) string {
	t.Helper()
	return runCommand(t, h.resticCommand("module/"+h.module.ID, args...)).succeed(t).stdout
}

// request restores the saved module's latest snapshot.
func (h *clientHost) request(t *testing.T) result {
	t.Helper()
	input, err := json.Marshal(map[string]any{
		"repository": clientDestination, "path": "mymodule/" + savedModule.UUID, "snapshot": "",
		"environment": map[string]string{"MODULE_ID": savedModule.ID}, "replace": false,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := h.command("restore-module")
	cmd.Stdin = bytes.NewReader(input)
	return runCommand(t, cmd)
}

// volume is where the files of the volume data are on the host.
func (h *clientHost) volume(t *testing.T) string {
	t.Helper()
	name := "data"
	switch h.kind {
	case "native":
		dir := h.path("volumes/data")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		return dir
	case "rootfull":
		name = h.module.ID + "-data"
	}
	if h.run(t, "podman", "volume", "exists", name).code != 0 {
		h.podman(t, "volume", "create", name)
	}
	return h.podman(t, "volume", "inspect", "--format={{.Mountpoint}}", name)
}

// fill makes files of all kinds, and keys of all types.
func (h *clientHost) fill(t *testing.T) {
	t.Helper()
	h.fillDir(t, h.path("state/things"))
	h.fillDir(t, h.volume(t))
	h.addBulk(t, 16)
	key := "module/" + h.module.ID + "/"
	for _, args := range [][]any{
		{"set", key + "mykey", "the value"},
		{"set", key + "ui_name", "My label"},
		{"set", key + "typed/string", "bytes\x00\xff", "px", 3_600_000},
		{"hset", key + "typed/hash", "a", 1, "b", 2},
		{"rpush", key + "typed/list", "x", "y", "x"},
		{"sadd", key + "typed/set", 1, 2, 3}, // the order of words would be another one
		{"zadd", key + "typed/zset", 1.5, "p", -2, "q"},
		{"xadd", key + "typed/stream", "1-1", "f", "v"},
	} {
		h.world.redis.Do(args...)
	}
}

func (h *clientHost) fillDir(t *testing.T, dir string) {
	t.Helper()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"", "empty", "deep/er/est", "state", "closed"} {
		h.check(t, os.MkdirAll(in(name), 0o755))
	}
	for name, content := range map[string]string{
		"plain": "text", "deep/er/est/file": "deep", "état ünï — 日本": "unicode", "new\nline": "newline", " -rf *": "odd",
		"state/environment": "the application's own", "skip.tmp": "excluded", "closed/file": "closed",
	} {
		h.check(t, os.WriteFile(in(name), []byte(content), 0o644))
	}
	h.check(t, os.Link(in("plain"), in("hard link")))
	h.check(t, os.Symlink("../else\nwhere", in("dangling")))
	h.check(t, os.Symlink("plain", in("symlink")))
	sparse, err := os.Create(in("sparse"))
	h.check(t, err)
	_, err = sparse.WriteAt([]byte("end"), 32<<20)
	h.check(t, errors.Join(err, sparse.Close()))
	h.check(t, unix.Setxattr(in("plain"), "user.colour", []byte("blue"), 0))
	h.check(t, unix.Mkfifo(in("fifo"), 0o600))
	if h.login == nil && os.Geteuid() == 0 {
		h.check(t, os.Lchown(in("plain"), 33, 33))
	}
	if h.login != nil {
		h.check(t, filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Lchown(name, int(h.login.Uid), int(h.login.Gid)))
		}))
	}
	h.check(t, os.Chmod(in("deep/er/est/file"), 0o4711))
	h.check(t, os.Chmod(in("empty"), 0o1777))
	h.check(t, os.Chmod(in("closed"), 0o700))
	h.check(t, os.Chtimes(in("plain"), time.Time{}, time.Unix(1_000_000_000, 123_456_789)))
}

// addBulk adds files of one mebibyte, all different, to the volume.
func (h *clientHost) addBulk(t *testing.T, files int) {
	t.Helper()
	dir := h.volume(t)
	for range files {
		file, err := os.CreateTemp(dir, "bulk")
		h.check(t, err)
		random, err := os.Open("/dev/urandom")
		h.check(t, err)
		_, err = io.CopyN(file, random, 1<<20)
		h.check(t, errors.Join(err, random.Close(), file.Close()))
		if h.login != nil {
			h.check(t, os.Chown(file.Name(), int(h.login.Uid), int(h.login.Gid)))
		}
	}
}

func (h *clientHost) check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dumpFiles are the dumps and helpers that a backup left behind.
func (h *clientHost) dumpFiles(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(h.path("state"))
	h.check(t, err)
	var names []string
	for _, entry := range entries {
		if name := entry.Name(); name != "environment" && name != "things" && name != ".module-backup.lock" {
			names = append(names, name)
		}
	}
	return names
}

// tree describes the files of the module, by their paths.
func (h *clientHost) tree(t *testing.T) map[string]string {
	t.Helper()
	tree := describeTree(t, h.path("state/things"), "state/things")
	maps.Copy(tree, describeTree(t, h.volume(t), "volumes/data"))
	return tree
}

// compare wants the same files as in want, but for what was excluded.
func (h *clientHost) compare(t *testing.T, want map[string]string) {
	t.Helper()
	got := h.tree(t)
	for name, description := range want {
		if strings.HasSuffix(name, ".tmp") {
			if _, ok := got[name]; ok {
				t.Errorf("%q was excluded, and is back", name)
			}
			continue
		}
		if got[name] != description {
			t.Errorf("%q is\n%s, and was\n%s", name, got[name], description)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%q is new", name)
		}
	}
	environment, err := os.ReadFile(h.path("state/environment"))
	if want := "MODULE_ID=" + h.module.ID + "\n"; string(environment) != want || err != nil {
		t.Errorf("state/environment holds %q, %v; want %q", environment, err, want)
	}
}

func describeTree(t *testing.T, root, prefix string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		tree[path.Join(prefix, relative)], err = describeFile(name, entry)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func describeFile(name string, entry fs.DirEntry) (string, error) {
	info, err := entry.Info()
	if err != nil {
		return "", err
	}
	stat, _ := info.Sys().(*syscall.Stat_t)
	text := fmt.Sprintf("%s %d:%d", info.Mode(), stat.Uid, stat.Gid)
	switch {
	case info.Mode().IsRegular():
		data, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		colour := make([]byte, 64)
		n, _ := unix.Getxattr(name, "user.colour", colour)
		text += fmt.Sprintf(" %d bytes %x, %s, %d links, sparse %v, colour %q", len(data), sha256.Sum256(data),
			info.ModTime().UTC(), stat.Nlink, stat.Blocks*512 < info.Size()/2, colour[:max(n, 0)])
	case info.Mode().Type() == fs.ModeSymlink:
		target, err := os.Readlink(name)
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf(" to %q", target)
	}
	return text, nil
}

// compareKeys wants the keys of the saved module under the name of this one.
func (h *clientHost) compareKeys(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	admin := h.world.redis.Admin()
	from, to := "module/"+savedModule.ID+"/", "module/"+h.module.ID+"/"
	for _, key := range []string{"mykey", "ui_name", "typed/string", "typed/hash", "typed/list", "typed/set", "typed/zset", "typed/stream"} {
		want, err := admin.Dump(ctx, from+key).Result()
		h.check(t, err)
		if got, err := admin.Dump(ctx, to+key).Result(); got != want || err != nil {
			t.Errorf("key %s holds %q, %v; want %q", to+key, got, err, want)
		}
	}
	ttl, err := admin.PTTL(ctx, to+"typed/string").Result()
	if err != nil || ttl < 50*time.Minute || ttl > time.Hour {
		t.Errorf("the time to live is %v, %v; want about an hour", ttl, err)
	}
}

// interrupt starts a backup, and sends the signal once restic saves data, for which
// it holds a lock.
func (h *clientHost) interrupt(t *testing.T, sig syscall.Signal) {
	t.Helper()
	cmd := h.command("module-backup", clientSchedule)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	before := h.world.packs(t)
	h.check(t, cmd.Start())
	waitUntil(t, "restic saves data", func() bool { return h.world.packs(t) > before })
	h.check(t, cmd.Process.Signal(sig))
	err := cmd.Wait()
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if sig == syscall.SIGKILL && status.Signal() == sig {
		return
	}
	if status.ExitStatus() != 128+int(sig) {
		t.Errorf("the backup ended with %v: %s", err, stderr.String())
	}
	if left := h.dumpFiles(t); len(left) > 0 {
		t.Errorf("the backup left %q in the state directory", left)
	}
}

// publicDir is a temporary directory that other users may enter, with a name so
// short that Podman is content.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "gw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyFile(t *testing.T, from, to string, mode fs.FileMode) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, data, mode))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// waitUntil waits for something that other processes do.
func waitUntil(t *testing.T, what string, reached func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Errorf("waited in vain until %s", what)
			return
		}
	}
}

// program is a program of ours, as make builds it.
func program(t *testing.T, variable, built string) string {
	t.Helper()
	return existing(t, variable, built, "make build")
}

func resticBinary(t *testing.T, version string) string {
	t.Helper()
	return existing(t, "RESTIC_"+strings.ReplaceAll(version, ".", "_"), ".cache/restic/"+version+"/restic", "make deps")
}

func existing(t *testing.T, variable, preset, remedy string) string {
	t.Helper()
	name := os.Getenv(variable)
	if name == "" {
		name = filepath.Join("..", "..", filepath.FromSlash(preset))
	}
	name, err := filepath.Abs(name)
	if err == nil {
		_, err = os.Stat(name)
	}
	if err != nil {
		missing(t, "%s: %v (%s)", variable, err, remedy)
	}
	return name
}

// missing fails the test in CI, where everything must be there, and skips it
// elsewhere.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
