package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// clientHost is a node with one module on it.
type clientHost struct {
	world  *clientWorld
	module redistest.Module
	kind   string // of the variant
	home   string
	env    []string
	data   string              // the directory of Podman's volume data, once known
	login  *syscall.Credential // nil: as we are
}

func (w *clientWorld) newHost(t *testing.T, v variant, module redistest.Module) *clientHost {
	t.Helper()
	h := &clientHost{world: w, module: module, kind: v.kind, home: publicDir(t)}
	if v.kind != "native" && os.Geteuid() != 0 {
		testenv.Missing(t, "containers of root, and of another user, need root")
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
	if v.kind == "native" {
		runtime = "native"
		if err := os.Symlink(resticBinary(t, v.version), filepath.Join(bin, "restic")); err != nil {
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
		"RESTIC_CACHE_DIR=" + h.path("cache"),
	}
	h.write(t, "core.env", "RESTIC_IMAGE="+clientImage+"\n", 0o644)
	h.write(t, "state/environment", "MODULE_ID="+module.ID+"\n", 0o600)
	h.write(t, "install/etc/state-include.conf", "state/*.dump\nstate/things\nvolumes/data", 0o644)
	h.write(t, "install/etc/state-exclude.conf", "*.tmp\nenvironment.bak\n/srv/volumes/data/deep/anchored\n", 0o644)
	h.write(t, "install/bin/module-dump-state", "#!/bin/bash\nset -e\nredis-dump module/$MODULE_ID/mykey > mykey.dump\nredis-dump --match \"module/$MODULE_ID/typed/*\" > typed.dump\n", 0o755)
	h.write(t, "install/bin/module-cleanup-state", "#!/bin/bash\nrm -f mykey.dump typed.dump\n", 0o755)
	h.write(t, "install/actions/restore-module/20loadkey", "#!/bin/bash\nset -e\nredis-restore $MODULE_ID/mykey < mykey.dump\nredis-restore < typed.dump\n", 0o755)
	h.write(t, "install/actions/restore-module/30cleanup", "#!/bin/bash\nrm -f mykey.dump typed.dump\n", 0o755)
	h.run(t, "gatewayctl", "install-links", bin).succeed(t)
	if v.kind == "rootless" {
		h.becomeUser(t)
	}
	if v.kind != "native" {
		h.configurePodman(t, h.imageStore(t, v.version))
		t.Cleanup(func() {
			h.awaitPodman(t)
			h.leaveNamespace(t) // which would outlive the test
		})
	}
	h.give(t)
	return h
}

func (h *clientHost) path(name string) string { return filepath.Join(h.home, name) }

func (h *clientHost) write(t *testing.T, name, content string, mode fs.FileMode) {
	t.Helper()
	h.check(t, writeFile(h.path(name), []byte(content), mode))
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
	got := result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	if got.stderr != "" && got.code != busy {
		t.Logf("%q ended with status %d: %s", cmd.Args[1:], got.code, got.stderr) // where the test fails, this says why
	}
	return got
}

// busy is the exit status of a run that finds another one of the module.
const busy = 3

func (h *clientHost) backUp(t *testing.T) result {
	t.Helper()
	return h.run(t, "module-backup", clientSchedule)
}

// whenFree repeats what finds the module busy, as it does for as long as a native
// restic lives whose module-backup or restore-module was killed.
func whenFree(t *testing.T, run func() result) result {
	t.Helper()
	var got result
	waitUntil(t, "the orphan has ended", func() bool {
		got = run()
		return got.code != busy
	})
	return got
}

// startUntil starts an applet, and returns when the gate holds back a request of it
// that matches.
func (h *clientHost) startUntil(t *testing.T, gate *gate, match func(*http.Request) bool, applet string, args ...string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	cmd, stderr := h.command(applet, args...), new(strings.Builder)
	cmd.Stderr = stderr
	hold := gate.shut(t, match)
	h.check(t, cmd.Start())
	gate.await(t, hold)
	return cmd, stderr
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
	if h.kind == "native" {
		dir := h.path("volumes/data")
		h.check(t, os.MkdirAll(dir, 0o755))
		return dir
	}
	if h.data == "" {
		h.data = h.podmanVolume(t, "data")
	}
	return h.data
}

// podmanVolume is the directory of a volume, which is made where it does not exist.
func (h *clientHost) podmanVolume(t *testing.T, name string) string {
	t.Helper()
	if h.kind == "rootfull" {
		name = h.module.ID + "-" + name
	}
	if h.run(t, "podman", "volume", "exists", name).code != 0 {
		h.podman(t, "volume", "create", name)
	}
	return h.podman(t, "volume", "inspect", "--format={{.Mountpoint}}", name)
}

// own makes a file the user's of the host.
func (h *clientHost) own(path string) error {
	if h.login == nil {
		return nil
	}
	return os.Lchown(path, int(h.login.Uid), int(h.login.Gid))
}

func (h *clientHost) check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
