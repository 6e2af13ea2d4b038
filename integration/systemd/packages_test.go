package systemd

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// bareDebian is made by scripts/debian-root.
const bareDebian = ".cache/debian-root"

// makePackages makes packages of a version for this architecture: all kinds, or some.
func makePackages(t *testing.T, version, kinds string) (dist string) {
	t.Helper()
	dist = t.TempDir()
	cmd := exec.CommandContext(t.Context(), "../../scripts/packages", dist, runtime.GOARCH)
	cmd.Env = append(os.Environ(), "VERSION="+version, "KINDS="+kinds, "BACKENDS=curated")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("scripts/packages: %v\n%s", err, said)
	}
	return dist
}

// glob returns the files of that pattern, of which there must be so many.
func glob(t *testing.T, count int, pattern ...string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(pattern...))
	if err != nil || len(files) != count {
		t.Fatalf("%s: %q (%v)", filepath.Join(pattern...), files, err)
	}
	return files
}

// tool runs one of Debian's programs for packages.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		testenv.Missing(t, "install %s: %v", name, err)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "LINTIAN_PROFILE=debian")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestPackages takes the packages through a life on a bare Debian, by the guide, with
// a backup before and a restore after each change.
func TestPackages(t *testing.T) {
	first, second := makePackages(t, "0.0.9", "deb"), makePackages(t, "0.1.0", "all")

	t.Run("the same sources make the same bytes", func(t *testing.T) {
		again := makePackages(t, "0.1.0", "all")
		a, err := os.ReadFile(filepath.Join(second, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(again, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) || len(a) == 0 {
			t.Errorf("first:\n%sthen:\n%s", a, b)
		}
	})
	t.Run("lintian finds nothing that has no reason", func(t *testing.T) {
		if found := tool(t, "lintian", append([]string{"--allow-root", "--fail-on=error,warning", "--tag-display-limit=0"}, glob(t, 2, second, "*.deb")...)...); strings.Contains(found, ": ") {
			t.Error(found)
		}
	})
	t.Run("rpm brings what the packages for Debian bring", func(t *testing.T) { testRPMs(t, second) })
	t.Run("the archive holds both programs, manuals and units", func(t *testing.T) {
		names := strings.Join(archived(t, glob(t, 1, second, "*.tar.gz")[0]), "\n") + "\n"
		for _, want := range []string{"/rclone-gateway\n", "/gatewayctl\n", "/LICENSE\n", "/deploy/systemd/rclone-gateway.service\n", "/share/man/man8/rclone-gateway-serve.8\n"} {
			if !strings.Contains(names, want) {
				t.Errorf("no %s in\n%s", want, names)
			}
		}
	})
	t.Run("a bare Debian from installation to purge", func(t *testing.T) { testDebian(t, first, second) })
	t.Run("a bare Debian becomes a gateway with a first backup", func(t *testing.T) { testSetup(t, second) })
}

// testSetup does what the first lines of the README say, as somebody at a terminal.
func testSetup(t *testing.T, dist string) {
	m := bootOn(t, debianRoot(t))
	g := openGuide(t, m, "README.md")
	bring(t, m, dist)
	m.write(t, "/srv/notes/todo.txt", "Water the plants\n", 0o644)
	said := g.followUntil(t, "gatewayctl setup", "/srv/notes\nnotes1\n\n/srv/backups\n\n")
	for _, want := range []string{"[1/9] Redis of its own", "undo: systemctl disable --now rclone-gateway-redis.service", "its backup can be restored", "Done."} {
		if !strings.Contains(said, want) {
			t.Errorf("setup does not say %q:\n%s", want, said)
		}
	}
	for _, unit := range []string{"rclone-gateway-redis.service", "rclone-gateway.service", "rclone-gateway-backup-1.timer", "rclone-gateway-schedules.timer"} {
		if state := m.run(t, "systemctl", "is-active", unit); state != "active" {
			t.Errorf("%s is %s", unit, state)
		}
		if state := m.run(t, "systemctl", "is-enabled", unit); state != "enabled" {
			t.Errorf("%s is %s", unit, state)
		}
	}
	if found := m.run(t, "find", "/run/rclone-gateway-redis", "-printf", "%f %M %u %g\n"); !strings.Contains(found, "rclone-gateway-redis drwxr-x--- redis rclone-gateway") || !strings.Contains(found, "redis.sock srwxrwx--- redis rclone-gateway") {
		t.Errorf("the socket of Redis: %s", found)
	}

	t.Log("once more, without anybody at a terminal: nothing changes")
	before := m.run(t, "sh", "-c", "cat /etc/rclone-gateway/*.env /etc/rclone-gateway/redis-password /var/lib/rclone-gateway-modules/notes1.env | sha256sum")
	m.run(t, "gatewayctl", "setup", "--yes", "--module", "notes1=/srv/notes", "--to", "/srv/backups")
	if after := m.run(t, "sh", "-c", "cat /etc/rclone-gateway/*.env /etc/rclone-gateway/redis-password /var/lib/rclone-gateway-modules/notes1.env | sha256sum"); after != before {
		t.Error("a second setup changed what the first one wrote")
	}

	t.Log("the timer's run, after a restart of Redis and of the gateway; then the note is lost")
	m.run(t, "systemctl", "restart", "rclone-gateway-redis.service", "rclone-gateway.service")
	m.run(t, "gatewayctl", "--env-file", "/etc/rclone-gateway/node.env", "run-backup", "--backup", "1")
	m.run(t, "bash", "-euc", `rm /srv/notes/todo.txt
gatewayctl --env-file /var/lib/rclone-gateway-modules/notes1.env restore-module --destination backups
grep -q "Water the plants" /srv/notes/todo.txt
gatewayctl --env-file /etc/rclone-gateway/admin.env status
test ! -e /etc/rclone-gateway/rclone-gateway.env.dpkg-dist`)
}

// debianRoot is the bare Debian.
func debianRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("../..", bareDebian))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(root); err != nil {
		testenv.Missing(t, "run scripts/debian-root as root: %v", err)
	}
	return root
}

func testRPMs(t *testing.T, dist string) {
	// rpm marks the manuals and wants no directory that all packages share.
	files := func(listing string) (names []string) {
		for name := range strings.Lines(listing) {
			name = strings.TrimPrefix(strings.TrimSpace(name), ".")
			if name != "" && !strings.HasSuffix(name, "/") {
				names = append(names, name)
			}
		}
		return names
	}
	root := t.TempDir()
	for _, name := range []string{"rclone-gateway", "gatewayctl"} {
		rpm := glob(t, 1, dist, name+"-*.rpm")[0]
		have := map[string]bool{}
		for _, file := range files(tool(t, "rpm", "-qlp", rpm)) {
			have[file] = true
		}
		deb := exec.CommandContext(t.Context(), "sh", "-c", `dpkg-deb --fsys-tarfile "$0" | tar -t`, glob(t, 1, dist, name+"_*.deb")[0])
		listing, err := deb.Output()
		if err != nil {
			t.Fatal(err)
		}
		wanted := files(string(listing))
		if len(wanted) < 8 {
			t.Errorf("%s: only %q", name, wanted)
		}
		for _, want := range wanted {
			if !have[want] {
				t.Errorf("%s has no %s", filepath.Base(rpm), want)
			}
		}
		// The scripts need a system below root; the files need none.
		tool(t, "rpm", "--root", root, "--nodeps", "--noscripts", "-i", rpm)
	}
	for program, argument := range map[string]string{"rclone-gateway": "version", "gatewayctl": "--version"} {
		if said := tool(t, filepath.Join(root, "usr/bin", program), argument); !strings.Contains(said, "0.1.0") {
			t.Errorf("%s says %q", program, said)
		}
	}
}

// archived are the names in an archive.
func archived(t *testing.T, path string) (names []string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for entries := tar.NewReader(unzipped); ; {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, entry.Name)
	}
}

func testDebian(t *testing.T, first, second string) {
	m := bootOn(t, debianRoot(t))
	m.run(t, "systemctl", "start", "redis-server.service")
	g := openGuide(t, m, "docs/how-to/packages.md")

	bring(t, m, first)
	g.followUntil(t, "apt install", "")
	if m.run(t, "systemctl", "show", "--property=ActiveState", "--value", "rclone-gateway.service", "rclone-gateway.socket") != "inactive\n\ninactive" {
		t.Error("something was started")
	}
	g.followUntil(t, "rclone-gateway health", "")

	m.run(t, "bash", "-euc", `cd /srv
install -d -o rclone-gateway -g rclone-gateway -m 700 /var/lib/rclone-gateway/backups
destination=$(printf '[disk]\ntype = local\n' | NS8_AGENT_ENV=/etc/rclone-gateway/node.env gatewayctl destination add \
  --provider rclone --conf - --base-path /var/lib/rclone-gateway/backups --name Disk | head -n 1)
mkdir -p notes1/volumes/data notes1/etc
echo 'Water the plants' >notes1/volumes/data/todo.txt
echo volumes/data >notes1/etc/state-include.conf
gatewayctl module add --dir /srv/notes1 --env-file notes1.env notes1
gatewayctl schedule add --destination "$destination" notes1
echo "$destination" >destination`)
	backUpAndRestore(t, m)

	main := m.property(t, "MainPID")
	m.write(t, "/etc/rclone-gateway/rclone-gateway.env", "REDIS_ADDRESS=127.0.0.1:6379\nREDIS_USER=node/1\nNODE_ID=1\nGATEWAY_LOG_LEVEL=debug\n", 0o644)
	bring(t, m, second)
	if said := g.followUntil(t, "rclone-gateway version", ""); !strings.Contains(said, "0.1.0") {
		t.Errorf("after the upgrade: %s", said)
	}
	if m.property(t, "MainPID") == main {
		t.Error("the old gateway still runs")
	}
	if env := m.run(t, "cat", "/etc/rclone-gateway/rclone-gateway.env"); !strings.Contains(env, "debug") {
		t.Errorf("the upgrade wrote %s", env)
	}
	backUpAndRestore(t, m)

	g.followUntil(t, "apt remove", "")
	m.run(t, "test", "-s", "/etc/rclone-gateway/rclone-gateway.env")
	if state := m.try("systemctl", "is-active", "rclone-gateway.service", "rclone-gateway.socket"); strings.Contains(state, "\nactive") || strings.HasPrefix(state, "active") {
		t.Errorf("after the removal: %s", state)
	}
	g.followUntil(t, "apt purge", "")
	m.run(t, "test", "!", "-e", "/etc/rclone-gateway/rclone-gateway.env")
	m.run(t, "test", "!", "-e", "/usr/bin/rclone-gateway")
	for _, kept := range []string{"/etc/rclone-gateway/redis-password", "/etc/rclone-gateway/node.env"} {
		m.run(t, "test", "-s", kept)
	}
	if packs := m.run(t, "find", "/var/lib/rclone-gateway/backups", "-path", "*/data/*", "-type", "f"); packs == "" {
		t.Error("the purge took the backups")
	}
}

// bring puts the packages where the guide looks for them.
func bring(t *testing.T, m *machine, dist string) {
	t.Helper()
	former, _ := filepath.Glob(filepath.Join(m.root, m.checkout, "*.deb")) // the pattern is well formed
	for _, old := range former {
		if err := os.Remove(old); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range append(glob(t, 2, dist, "*.deb"), filepath.Join(dist, "SHA256SUMS")) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m.write(t, filepath.Join(m.checkout, filepath.Base(file)), string(content), 0o644)
	}
}

// backUpAndRestore backs up the module and restores it into another one's place.
func backUpAndRestore(t *testing.T, m *machine) {
	t.Helper()
	m.run(t, "bash", "-euc", `cd /srv
set -a; . ./notes1.env; set +a
date >>notes1/volumes/data/todo.txt
gatewayctl module-backup 1
cp notes1/volumes/data/todo.txt want
rm notes1/volumes/data/todo.txt
gatewayctl restore-module --destination "$(cat destination)"
cmp want notes1/volumes/data/todo.txt`)
}
