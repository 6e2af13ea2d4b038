package compose

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// moduleUser is the user of both images.
const moduleUser = 65532

// The subtests share a project, whose data grows: each continues where the one before
// it ended.
func TestComposeFromNothingToCrashes(t *testing.T) {
	t.Parallel()
	e := startEngine(t)
	dir := checkout(t, e)
	p := newProject(t, e, "main")
	p.dir = dir
	// Images of its own, which others do not need while it has none.
	p.own = append(p.own, "GATEWAY_IMAGE="+freshImages[0], "CLIENT_IMAGE="+freshImages[1])
	guide := readGuide(t)
	snapshots := func(t *testing.T) int { return count(t, p.volume(t, "repositories")+"/sample/*/snapshots/*") }

	t.Run("from nothing the test profile is green", func(t *testing.T) {
		// Compose makes the images, of what builds have left behind.
		for _, name := range freshImages {
			if p.must(t, "image", "ls", "--quiet", name) != "" {
				p.must(t, "image", "rm", name)
			}
		}
		start := time.Now()
		out := p.runBlock(t, guide.check)
		t.Logf("from what was compiled before to two restores compared: %.1f s", time.Since(start).Seconds())
		if !strings.Contains(out, "| test: passed: module sample1 comes back from local and s3") {
			t.Error(out)
		}
		if n := snapshots(t); n != 1 {
			t.Errorf("%d snapshots, want 1", n)
		}
		if n := count(t, p.volume(t, "s3")+"/backups/sample/*/snapshots/*"); n != 1 {
			t.Errorf("%d snapshots on S3, want 1", n)
		}
	})
	t.Run("after down and up the data is still there, and the demo adds to it until Ctrl-C", func(t *testing.T) {
		p.want(t, 0, "--profile", "test", "down", "--timeout=2")
		if n := snapshots(t); n != 1 {
			t.Errorf("%d snapshots after down, want 1", n)
		}
		demo := p.startBlock(t, guide.demo)
		// Its container may have ended before compose has passed on what it said.
		waitFor(t, "the restore to say that it is done", func() bool {
			return strings.Contains(demo.said(t), "restore: done") || demo.over()
		})
		demo.interrupt(t)
		if out, _ := demo.wait(); !strings.Contains(out, "restore: volumes/data is the same") {
			t.Error(out)
		}
		if n := snapshots(t); n != 2 {
			t.Errorf("%d snapshots of one repository, want 2", n)
		}
		for _, service := range []string{"redis", "s3", "gateway", "setup", "scheduler"} {
			if !p.ended(service) {
				t.Errorf("Ctrl-C did not end %s", service)
			}
		}
	})
	t.Run("where the data differs the test profile is red and says what differs, last", func(t *testing.T) {
		p.env = []string{"MODULE_DIR=" + module(t, "echo changed >>/srv/volumes/data/documents/2026/letter.txt")}
		// That setup was done in the run before is not taken for this one's.
		p.overrideWith(t, lateSetup)
		defer func() { p.env, p.override = nil, "" }()
		out := p.want(t, 1, testProfile...)
		if !strings.Contains(lastFailure(out), "test: FAILED: compare: what was restored of volumes/data from local differs") ||
			!strings.Contains(out, "letter.txt") {
			t.Errorf("%s", out)
		}
	})
	t.Run("it stays, and backup and restore run once each", func(t *testing.T) {
		before := snapshots(t)
		out := p.runBlock(t, guide.keep)
		for _, want := range []string{"back up module sample1 to local", "back up module sample1 to s3", "restore: volumes/data is the same", `"msg":"starting"`} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in %s", want, out)
			}
		}
		if n := snapshots(t) - before; n != 1 {
			t.Errorf("%d more snapshots, want 1", n)
		}
		if health := p.inspect(t, p.container(t, "gateway"), ".State.Health.Status"); health != "healthy" {
			t.Errorf("the gateway is %s", health)
		}
	})
	t.Run("a schedule runs when somebody asks for it, and its outcomes are shown", func(t *testing.T) {
		out := p.runBlock(t, guide.schedules)
		for _, want := range []string{"sample1: drill done", "all is well: 1 backed up"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in %s", want, out)
			}
		}
	})
	t.Run("an administrator works in setup's container", func(t *testing.T) {
		p.runBlock(t, guide.export)
		wantPasswords(t, filepath.Join(p.dir, "destinations.json"))
		p.must(t, "run", "--detach", "--name=dav", "--network="+p.name+"_default", "--tmpfs=/data", "rclone/rclone:1.76",
			"serve", "webdav", "--addr=:8080", "/data")
		defer p.must(t, "rm", "--force", "dav")
		waitFor(t, "the WebDAV server to listen", func() bool {
			_, err := e.docker(patience, "exec", "dav", "sh", "-c", "nc 127.0.0.1 8080 </dev/null")
			return err == nil
		})
		conf := "[dav]\ntype = webdav\nurl = http://dav:8080\nvendor = rclone\n"
		if err := os.WriteFile(filepath.Join(p.dir, "rclone.conf"), []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		p.runBlock(t, guide.add)
	})
	t.Run("a backup finishes although the gateway is killed in the middle", func(t *testing.T) {
		addData(t, p, "big.raw", 300<<20)
		packs := p.volume(t, "repositories") + "/sample/*/data/*/*"
		before := count(t, packs)
		backup := p.start("--profile", "demo", "run", "--rm", "--no-deps", "backup")
		waitFor(t, "the first packs", func() bool { return count(t, packs) > before+1 || backup.over() })
		if backup.over() {
			out, code := backup.wait()
			t.Fatalf("the backup ended before the gateway was killed: %d\n%s", code, out)
		}
		p.kill(t, "gateway")
		if out, code := backup.wait(); code != 0 {
			t.Fatalf("backup: exit status %d\n%s", code, out)
		}
		if n, err := strconv.Atoi(p.inspect(t, p.container(t, "gateway"), ".RestartCount")); err != nil || n != 1 {
			t.Errorf("the gateway was restarted %d times (%v), want once", n, err)
		}
		p.want(t, 0, "--profile", "demo", "run", "--rm", "--no-deps", "restore")
	})
	t.Run("a backup finishes although Redis is restarted, which forgets nothing", func(t *testing.T) {
		addData(t, p, "more.raw", 100<<20)
		packs := p.volume(t, "repositories") + "/sample/*/data/*/*"
		before := count(t, packs)
		backup := p.start("--profile", "demo", "run", "--rm", "--no-deps", "backup")
		waitFor(t, "the first packs", func() bool { return count(t, packs) > before+2 || backup.over() })
		p.want(t, 0, "restart", "--timeout=5", "redis")
		if out, code := backup.wait(); code != 0 {
			t.Fatalf("backup: exit status %d\n%s", code, out)
		}
		p.want(t, 0, "--profile", "demo", "run", "--rm", "--no-deps", "restore")
	})
	t.Run("a module with a wrong password is told so", func(t *testing.T) {
		out := p.want(t, 8, "--profile", "demo", "run", "--rm", "--no-deps",
			"-e", "REDIS_USER=module/sample1", "-e", "REDIS_PASSWORD=wrong", "backup")
		if last := lastFailure(out); !strings.Contains(last, `refuses user "module/sample1": wrong password`) {
			t.Errorf("said last: %s\n%s", last, out)
		}
	})
	t.Run("a comparison of nothing is no success", func(t *testing.T) {
		dir := module(t, "true")
		if err := os.WriteFile(filepath.Join(dir, "etc/state-include.conf"), []byte("state/mykey.dump\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		p.env = []string{"MODULE_DIR=" + dir}
		defer func() { p.env = nil }()
		out := p.want(t, 2, "--profile", "demo", "run", "--rm", "--no-deps", "restore")
		if last := lastFailure(out); !strings.Contains(last, "names no volume below /srv/volumes, so nothing was compared") {
			t.Errorf("said last: %s\n%s", last, out)
		}
	})
	t.Run("no secret is in an image, in what inspect shows, or in a log", func(t *testing.T) {
		wantNoSecrets(t, p)
	})
}

// freshImages are the gateway's and the client's that compose makes from nothing.
var freshImages = []string{"fresh-gateway", "fresh-gateway-client"}

// lateSetup keeps the module's environment back, and only then begins.
const lateSetup = `services:
  setup:
    command: [/bin/sh, -c, "cd /run/module && mv sample1.env late && sleep 3 && mv late sample1.env && exec /bin/sh /usr/local/share/compose/setup"]
`

// wantPasswords wants an export of two destinations that is enough to read what is
// there, and only for its owner.
func wantPasswords(t *testing.T, file string) {
	t.Helper()
	var exported struct {
		Cluster struct {
			Destinations map[string]struct {
				Password string `json:"restic_password"`
			} `json:"backup_repository"`
			ModulePasswords map[string]string `json:"module_passwords"`
		} `json:"cluster"`
	}
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &exported)
	}
	if err != nil || len(exported.Cluster.Destinations) != 2 {
		t.Errorf("exported, not two destinations: %v\n%.300s", err, text)
	}
	if len(exported.Cluster.ModulePasswords) == 0 {
		t.Error("exported were no passwords of modules")
	}
	for id, destination := range exported.Cluster.Destinations {
		if len(destination.Password) < 32 {
			t.Errorf("destination %s has no password", id)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: it must be for its owner alone", info.Mode(), err)
	}
}

// module is a directory of a module with the sample's settings, whose
// module-cleanup-state runs a command.
func module(t *testing.T, command string) string {
	t.Helper()
	dir := worldReadable(t)
	for name, text := range map[string]string{
		"etc/state-include.conf":   "volumes/data\n",
		"bin/module-cleanup-state": "#!/bin/sh\n" + command + "\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// addData puts a file that does not compress into the module's volume.
func addData(t *testing.T, p *project, name string, size int64) {
	t.Helper()
	path := filepath.Join(p.volume(t, "module-data"), name)
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := io.CopyN(file, rand.Reader, size); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, moduleUser, moduleUser); err != nil {
		t.Fatal(err)
	}
}

// lastFailure is the last line in which a script says that it failed.
func lastFailure(out string) string {
	last := ""
	for line := range strings.Lines(out) {
		if strings.Contains(line, "FAILED: ") {
			last = strings.TrimSpace(line)
		}
	}
	return last
}

func wantNoSecrets(t *testing.T, p *project) {
	t.Helper()
	secrets := secretsOf(t, p)
	var texts []string
	// Those of `run --rm` may just be going.
	for id := range strings.FieldsSeq(p.must(t, "ps", "--all", "--quiet",
		"--filter=label=com.docker.compose.project="+p.name, "--filter=label=com.docker.compose.oneoff=False")) {
		texts = append(texts, p.must(t, "inspect", id))
		out, code := p.output("logs", id)
		if code != nil {
			t.Fatal(code)
		}
		texts = append(texts, out)
	}
	for _, image := range freshImages {
		texts = append(texts, p.must(t, "history", "--no-trunc", image), p.must(t, "inspect", image))
	}
	out, _ := p.run("config")
	texts = append(texts, out)
	if len(texts) < 4*2+4 {
		t.Errorf("only %d texts were searched", len(texts))
	}
	for _, text := range texts {
		for what, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s is in: %.300s", what, text)
			}
		}
	}
}

// secretsOf are the secrets that a project made.
func secretsOf(t *testing.T, p *project) map[string]string {
	t.Helper()
	secrets := map[string]string{}
	for _, file := range []string{"admin-key/password", "node-key/password", "s3-key/secret_access_key", "module-key/sample1.env"} {
		volume, name, _ := strings.Cut(file, "/")
		text, err := os.ReadFile(filepath.Join(p.volume(t, volume), name))
		if err != nil {
			t.Fatal(err)
		}
		secret := strings.TrimSpace(string(text))
		if strings.HasSuffix(name, ".env") {
			lines := strings.Split(secret, "\n")
			i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "REDIS_PASSWORD=") })
			if i < 0 {
				t.Fatalf("there is no password in %s", file)
			}
			_, secret, _ = strings.Cut(lines[i], "=")
		}
		if len(secret) < 40 {
			t.Fatalf("%s holds %d characters: too few for a secret", file, len(secret))
		}
		secrets[file] = secret
	}
	admin := secrets["admin-key/password"]
	passwords := p.must(t, "exec", "--env=REDISCLI_AUTH="+admin, p.container(t, "redis"), "redis-cli", "--user", "admin", "--no-auth-warning",
		"HVALS", "private/agents/backup_destination/restic_password")
	for i, password := range strings.Fields(passwords) {
		secrets["restic password "+strconv.Itoa(i)] = password
	}
	if len(secrets) != 7 {
		t.Fatalf("%d secrets, want 7: of the administrator, the node, S3, the module and three destinations", len(secrets))
	}
	return secrets
}
