package client

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// resticVersions calls test with each restic that scripts/restic-versions has put
// into .cache, first on PATH; where there is none, with the one of PATH.
func resticVersions(t *testing.T, test func(t *testing.T, version string)) {
	t.Helper()
	if testing.Short() {
		t.Skip("restic derives its keys slowly")
	}
	found, err := filepath.Glob("../.cache/restic/*/restic")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		// The first restic on PATH is the scripts' fake one.
		_, behind, _ := strings.Cut(os.Getenv("PATH"), string(os.PathListSeparator))
		for _, dir := range filepath.SplitList(behind) {
			if file := filepath.Join(dir, "restic"); exec.Command(file, "version").Run() == nil {
				found = append(found, file)
				break
			}
		}
	}
	if len(found) == 0 {
		testenv.Missing(t, "restic is missing: run scripts/restic-versions, or install it")
	}
	for _, file := range found {
		file, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		output, err := exec.Command(file, "version").Output()
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(string(output))
		t.Run("restic "+fields[1], func(t *testing.T) {
			t.Setenv("PATH", filepath.Dir(file)+string(os.PathListSeparator)+os.Getenv("PATH"))
			test(t, fields[1])
		})
	}
}

const realDestination = "14030a59-a4e6-54cc-b8ea-cd5f97fe44c8"

// realModule is a module below root, whose environment the test process has.
type realModule struct {
	id, uuid string
	root     string
	server   *redistest.Server
}

func (m realModule) state() string   { return filepath.Join(m.root, "state") }
func (m realModule) volume() string  { return filepath.Join(m.root, "volumes", "data") }
func (m realModule) install() string { return filepath.Join(m.root, "install") }
func (m realModule) step(s string) string {
	return filepath.Join(m.install(), "actions", "restore-module", s)
}

// gatewayFor serves the restic protocol from memory to all users that know their
// password.
func gatewayFor(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(gatewayHandler())
	t.Cleanup(server.Close)
	return server.URL
}

func gatewayHandler() http.Handler {
	handler, store := rest.NewHandler(), storetest.NewMem()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		repo, typ, name, ok := object.Parse(strings.TrimPrefix(r.URL.Path, "/"+realDestination+"/"))
		user, password, _ := r.BasicAuth()
		if !ok || password != redistest.Password(user) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		err := handler.Serve(w, r, rest.Target{
			Store: store, Destination: realDestination, Repo: repo, Type: typ, Name: name,
			Operation: rest.OperationOf(r.Method, typ, name, r.URL.Query().Get("create") == "true"),
		})
		switch {
		case errors.Is(err, fs.ErrNotExist):
			w.WriteHeader(http.StatusNotFound)
		case err != nil:
			w.WriteHeader(http.StatusBadGateway)
		}
	})
}

// become makes the module's directories and gives the test process, and so all
// that it starts, the module's environment.
func (m realModule) become(t *testing.T, gateway string) {
	t.Helper()
	for _, dir := range []string{m.state(), m.volume(), filepath.Join(m.install(), "etc"), filepath.Join(m.install(), "bin"), filepath.Dir(m.step("x"))} {
		mustDo(t, os.MkdirAll(dir, 0o755))
	}
	write(t, filepath.Join(m.state(), "environment"), "MODULE_ID="+m.id+"\n", 0o600)
	core := filepath.Join(m.root, "core.env")
	write(t, core, "", 0o644)
	write(t, m.install()+"/etc/state-include.conf", "state/mykey.dump\nstate/tree\nvolumes/data", 0o644)
	write(t, m.install()+"/bin/module-dump-state", "#!/bin/bash\nset -e\nredis-dump mymodule1/mykey > mykey.dump\n", 0o755)
	write(t, m.install()+"/bin/module-cleanup-state", "#!/bin/bash\nrm -f mykey.dump\n", 0o755)
	write(t, m.step("20loadkey"), "#!/bin/bash\nredis-restore "+m.id+"/mykey < mykey.dump\n", 0o755)
	for name, value := range moduleVars(m.server, m.id) {
		t.Setenv(name, value)
	}
	for name, value := range map[string]string{
		"MODULE_UUID": m.uuid, "IMAGE_URL": "ghcr.io/nethserver/mymodule:1",
		"AGENT_STATE_DIR": m.state(), "AGENT_INSTALL_DIR": m.install(),
		"NS8_GATEWAY_URL": gateway, "NS8_RESTIC_RUNTIME": "native",
		"NS8_AGENT_ENV": "/nonexistent", "NS8_CORE_ENV": core,
		"RESTIC_CACHE_DIR": filepath.Join(m.root, "cache"),
		"PATH":             filepath.Join(m.install(), "bin") + string(os.PathListSeparator) + os.Getenv("PATH"),
	} {
		t.Setenv(name, value)
	}
}

// call runs an applet in this process.
func call(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := execute(t.Context(), host.NewSystem(strings.NewReader(stdin), &stdout, &stderr), args)
	return outcome{code, stdout.String(), stderr.String()}
}

// runIn runs a program in a directory.
func runIn(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, output)
	}
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name, content string, mode os.FileMode) {
	t.Helper()
	mustDo(t, os.MkdirAll(filepath.Dir(name), 0o755))
	mustDo(t, os.WriteFile(name, []byte(content), mode))
	mustDo(t, os.Chmod(name, mode))
}

const sparseSize = 32 << 20

// plant makes files of all kinds below dir.
func plant(t *testing.T, dir string) {
	t.Helper()
	for name, mode := range map[string]os.FileMode{
		"plain": 0o644, "a name\nof two lines": 0o600, "grüße-日本": 0o755, "-rf": 0o400, "setuid": 0o755 | os.ModeSetuid,
		"state/environment": 0o644, "deep/er/file": 0o640, "xattr": 0o644,
	} {
		write(t, filepath.Join(dir, name), "content of "+name, mode)
	}
	mustDo(t, os.MkdirAll(filepath.Join(dir, "empty"), 0o755))
	mustDo(t, os.Chmod(filepath.Join(dir, "empty"), 0o1770))
	mustDo(t, os.Link(filepath.Join(dir, "plain"), filepath.Join(dir, "hard")))
	mustDo(t, os.Symlink("nowhere/at all", filepath.Join(dir, "dangling")))
	mustDo(t, os.Symlink("plain", filepath.Join(dir, "link")))
	mustDo(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	mustDo(t, unix.Setxattr(filepath.Join(dir, "xattr"), "user.note", []byte("kept"), 0))
	sparse, err := os.Create(filepath.Join(dir, "sparse"))
	mustDo(t, err)
	_, err = sparse.WriteAt([]byte("in the middle"), sparseSize/2)
	mustDo(t, errors.Join(err, sparse.Truncate(sparseSize), sparse.Close()))
	if os.Geteuid() == 0 {
		mustDo(t, os.Chown(filepath.Join(dir, "grüße-日本"), 1234, 5678))
		capability, _ := strconv.Unquote(`"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"`)
		mustDo(t, unix.Setxattr(filepath.Join(dir, "xattr"), "security.capability", []byte(capability), 0))
	}
	past := time.Date(2020, 2, 29, 1, 2, 3, 4000, time.UTC)
	mustDo(t, os.Chtimes(filepath.Join(dir, "sparse"), past, past))
	mustDo(t, os.Chtimes(dir+"/deep/er/file", past, past))
}

// describe returns a line for each file below dir with all that a restore must
// bring back.
func describe(t *testing.T, dir string) []string {
	t.Helper()
	var lines []string
	inodes := map[uint64]string{}
	mustDo(t, filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		stat, _ := info.Sys().(*syscall.Stat_t)
		relative, _ := filepath.Rel(dir, name)
		line := fmt.Sprintf("%q %v %d:%d", relative, info.Mode(), stat.Uid, stat.Gid)
		switch {
		case info.Mode().IsRegular():
			content, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %d %x %v", info.Size(), sha256.Sum256(content), info.ModTime().UTC())
			if first, ok := inodes[stat.Ino]; ok {
				line += " = " + first
			}
			inodes[stat.Ino] = relative
			note := make([]byte, 16)
			if n, err := unix.Getxattr(name, "user.note", note); err == nil {
				line += " user.note=" + string(note[:n])
			}
		case info.Mode().Type() == fs.ModeSymlink:
			target, err := os.Readlink(name)
			if err != nil {
				return err
			}
			line += " -> " + target
		}
		lines = append(lines, line)
		return nil
	}))
	return lines
}

func sameTree(t *testing.T, got, want []string) {
	t.Helper()
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("not restored: %s", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("restored otherwise: %s", line)
		}
	}
}

func TestRestoreOfARealModule(t *testing.T) {
	resticVersions(t, func(t *testing.T, _ string) {
		t.Helper()
		server := cluster(t)
		server.AddDestinations(redistest.Destination{ID: realDestination, Name: "d", Provider: "x", URL: "b2:b"})
		server.AddSchedule(redistest.Schedule{ID: "1", Repository: realDestination, Instances: []string{"mymodule1"}})
		server.Do("SET", "module/mymodule1/ui_name", "The label")
		server.Do("RPUSH", "module/mymodule1/mykey", "a", "b")
		gateway := gatewayFor(t)

		old := realModule{"mymodule1", "11111111-1111-4111-8111-111111111111", t.TempDir(), server}
		old.become(t, gateway)
		plant(t, filepath.Join(old.state(), "tree"))
		plant(t, old.volume())
		call(t, "", "module-backup", "1").succeed(t)
		wantState, wantVolume := describe(t, filepath.Join(old.state(), "tree")), describe(t, old.volume())

		fresh := realModule{"mymodule2", "22222222-2222-4222-8222-222222222222", t.TempDir(), server}
		fresh.become(t, gateway)
		request := fmt.Sprintf(`{"repository":%q,"path":"mymodule/%s","snapshot":"","environment":{},"replace":false}`, realDestination, old.uuid)

		// Twice: a restore can be repeated. Between them things have changed.
		for round := range 2 {
			if round > 0 {
				t.Setenv("AGENT_COMFD", "2") // people hear nothing of what is for the agent
				server.Do("DEL", "module/mymodule2/mykey")
				write(t, filepath.Join(fresh.volume(), "plain"), "changed since", 0o600)
				mustDo(t, os.Remove(filepath.Join(fresh.volume(), "link")))
			}
			got := call(t, request, "restore-module", "--verify").succeed(t)
			if strings.Contains(got.stderr, "set-weight 10restore 4\r\n") != (round > 0) || !strings.Contains(got.stderr, "files and directories") {
				t.Errorf("told %q", got.stderr)
			}
			sameTree(t, describe(t, filepath.Join(fresh.state(), "tree")), wantState)
			sameTree(t, describe(t, fresh.volume()), wantVolume)
		}
		if v := server.Do("GET", "module/mymodule2/ui_name"); v != "The label" {
			t.Errorf("the label is %q", v)
		}
		if v := server.Admin().LRange(t.Context(), "module/mymodule2/mykey", 0, -1).Val(); !slices.Equal(v, []string{"a", "b"}) {
			t.Errorf("the key is %q", v)
		}
		if data, err := os.ReadFile(filepath.Join(fresh.state(), "environment")); string(data) != "MODULE_ID=mymodule2\n" {
			t.Errorf("the module's environment is %q, %v", data, err)
		}
		if data, err := os.ReadFile(filepath.Join(fresh.state(), "restic_restore.json")); !bytes.Contains(data, []byte(`"message_type":"summary"`)) {
			t.Errorf("restic_restore.json is %q, %v", data, err)
		}
		for _, dir := range []string{fresh.volume(), filepath.Join(fresh.state(), "tree")} {
			checkSpecial(t, dir)
		}
		restoreOfFiles(t, fresh, request)
	})
}

// checkSpecial wants the sparse file to have holes, and no file to have
// capabilities.
func checkSpecial(t *testing.T, dir string) {
	t.Helper()
	var stat unix.Stat_t
	mustDo(t, unix.Stat(filepath.Join(dir, "sparse"), &stat))
	if stat.Blocks*512 > sparseSize/4 {
		t.Errorf("the sparse file in %s takes %d bytes", dir, stat.Blocks*512)
	}
	value := make([]byte, 64)
	if _, err := unix.Getxattr(filepath.Join(dir, "xattr"), "security.capability", value); !errors.Is(err, unix.ENODATA) {
		t.Errorf("the file has capabilities: %v", err)
	}
}

// restoreOfFiles restores single files, into place and elsewhere.
func restoreOfFiles(t *testing.T, m realModule, request string) {
	t.Helper()
	mustDo(t, os.RemoveAll(filepath.Join(m.volume(), "deep")))
	write(t, filepath.Join(m.volume(), "plain"), "mine", 0o600)
	call(t, request, "restore-module", "--path", "volumes/data/deep").succeed(t)
	if data, err := os.ReadFile(m.volume() + "/deep/er/file"); string(data) != "content of deep/er/file" {
		t.Errorf("got %q, %v", data, err)
	}
	if data, _ := os.ReadFile(filepath.Join(m.volume(), "plain")); string(data) != "mine" {
		t.Errorf("another file became %q", data)
	}
	call(t, request, "restore-module", "--include", "environment").succeed(t)
	if data, _ := os.ReadFile(filepath.Join(m.state(), "environment")); string(data) != "MODULE_ID=mymodule2\n" {
		t.Errorf("the module's environment became %q", data)
	}
	target := filepath.Join(t.TempDir(), "found")
	call(t, request, "restore-module", "--target", target, "--path", "state/environment", "--include", "gr*").succeed(t)
	found, err := filepath.Glob(target + "/*/*/gr*")
	if err != nil || len(found) != 2 {
		t.Errorf("found %q, %v", found, err)
	}
	if data, err := os.ReadFile(target + "/state/environment"); string(data) != "MODULE_ID=mymodule1\n" {
		t.Errorf("the old environment is %q, %v", data, err)
	}
	call(t, request, "restore-module", "--path", "volumes/data/none").fail(t, exit.NotFound, "does not hold")
	call(t, request, "restore-module", "--include", "*.none").fail(t, exit.NotFound, "matches")
}

func TestRestoreOfSnapshotsByPlainRestic(t *testing.T) {
	resticVersions(t, func(t *testing.T, version string) {
		t.Helper()
		server := cluster(t)
		server.AddDestinations(redistest.Destination{ID: realDestination, Name: "d", Provider: "x", URL: "b2:b"})
		gateway := gatewayFor(t)
		m := realModule{"mymodule1", "11111111-1111-4111-8111-111111111111", t.TempDir(), server}
		m.become(t, gateway)
		plant(t, m.volume())
		want := describe(t, m.volume())
		address := strings.Replace(gateway, "://", "://module%2Fmymodule1:"+redistest.Password("module/mymodule1")+"@", 1)
		t.Setenv("RESTIC_REPOSITORY", "rest:"+address+"/"+realDestination+"/mymodule/"+m.uuid)
		t.Setenv("RESTIC_PASSWORD", redistest.Password(realDestination))
		restic := func(args ...string) { t.Helper(); runIn(t, m.root, "restic", args...) }
		restic("init")
		for _, c := range []struct {
			name    string
			targets []string
		}{
			{"relative paths, as NS8 does", []string{"state/environment", "volumes/data"}},
			{"absolute paths", []string{m.state(), m.volume()}},
		} {
			restic(append([]string{"backup"}, c.targets...)...)
			mustDo(t, os.RemoveAll(m.volume()))
			got := call(t, "", "restore-module", "--step", "10restore", "--destination", realDestination)
			if c.name == "absolute paths" && strings.HasPrefix(version, "0.14") {
				got.fail(t, exit.Failed, "restic before 0.16")
				continue
			}
			got.succeed(t)
			sameTree(t, describe(t, m.volume()), want)
		}
	})
}

func TestRestoreOntoAFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		testenv.Missing(t, "only root can mount a small file system")
	}
	resticVersions(t, func(t *testing.T, _ string) {
		t.Helper()
		server := cluster(t)
		server.AddDestinations(redistest.Destination{ID: realDestination, Name: "d", Provider: "x", URL: "b2:b"})
		server.AddSchedule(redistest.Schedule{ID: "1", Repository: realDestination, Instances: []string{"mymodule1"}})
		m := realModule{"mymodule1", "11111111-1111-4111-8111-111111111111", t.TempDir(), server}
		m.become(t, gatewayFor(t))
		noise := make([]byte, 4<<20)
		for i := range noise {
			noise[i] = byte(i>>16 ^ i*i>>7)
		}
		write(t, filepath.Join(m.volume(), "big"), string(noise), 0o644)
		call(t, "", "module-backup", "1").succeed(t)
		mustDo(t, os.RemoveAll(m.volume()))
		mustDo(t, os.MkdirAll(m.volume(), 0o755))
		if err := unix.Mount("tmpfs", m.volume(), "tmpfs", 0, "size=2m"); err != nil {
			t.Fatalf("cannot mount a small file system: %v", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(m.volume(), unix.MNT_DETACH) })
		call(t, "", "restore-module", "--destination", realDestination).fail(t, exit.Full, "the disk is full")

		mustDo(t, unix.Unmount(m.volume(), unix.MNT_DETACH))
		server.Do("RPUSH", "module/mymodule1/mykey", "a")
		mustDo(t, os.Remove(m.step("20loadkey")))
		call(t, "", "restore-module", "--destination", realDestination).succeed(t)
		if data, err := os.ReadFile(filepath.Join(m.volume(), "big")); !bytes.Equal(data, noise) {
			t.Errorf("the second run did not restore the file: %v", err)
		}
	})
}
