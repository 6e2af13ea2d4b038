package integration

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// standalone is a host without NethServer 8: a plain Redis with a password, and
// what gatewayctl makes of it.
type standalone struct {
	redis *redistest.Server
	dir   string // for the test's files
	bin   string // gatewayctl by all its names, and restic
	vars  []string
	admin []string // the variables of the administrator
	store string   // the directory of the destination
	dest  string   // its ID
}

// adminPassword is that of user "default", who is the administrator.
const adminPassword = "the-administrator-of-a-plain-redis"

func newStandalone(t *testing.T) *standalone {
	t.Helper()
	s := &standalone{redis: redistest.Start(t), dir: t.TempDir()}
	s.redis.Do("ACL", "SETUSER", "default", "resetpass", ">"+adminPassword)
	s.bin, s.store = filepath.Join(s.dir, "bin"), filepath.Join(s.dir, "store")
	for _, dir := range []string{s.bin, s.store} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for variable, name := range map[string]string{"RESTIC_0_18": "restic", "GATEWAYCTL": "gatewayctl"} {
		if err := os.Symlink(program(t, variable), filepath.Join(s.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	s.vars = []string{"HOME=" + s.dir, "REDIS_ADDRESS=" + s.redis.Addr, "NS8_CORE_ENV=/nonexistent", "GATEWAY_MODULES_DIR=" + s.dir + "/modules.d"}
	s.admin = []string{"REDIS_PASSWORD=" + adminPassword, "NS8_AGENT_ENV=" + s.path("node.env")}
	s.as(t, nil, "gatewayctl", "install-links", s.bin).succeed(t)
	return s
}

func (s *standalone) path(name string) string { return filepath.Join(s.dir, name) }

// outcome is how a command ended.
type outcome struct {
	code           int
	stdout, stderr string
}

func (o outcome) succeed(t *testing.T) outcome {
	t.Helper()
	if o.code != 0 {
		t.Fatalf("exit code %d: %s", o.code, o.stderr)
	}
	return o
}

// as runs a command with these variables and few others.
func (s *standalone) as(t *testing.T, vars []string, name string, args ...string) outcome {
	t.Helper()
	path := filepath.Join(s.bin, name)
	if name == "sh" {
		path = "/bin/sh"
	}
	cmd := commandContext(t, path, args...)
	cmd.Dir = s.dir
	cmd.Env = append(append([]string{"PATH=" + s.bin + ":/usr/bin:/bin"}, s.vars...), vars...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return outcome{exitCode(err), stdout.String(), stderr.String()}
}

// ctl runs gatewayctl as the administrator.
func (s *standalone) ctl(t *testing.T, args ...string) outcome {
	t.Helper()
	return s.as(t, s.admin, "gatewayctl", args...)
}

// inModule runs a command as a shell does that has read the module's environment
// file, which is how people use it.
func (s *standalone) inModule(t *testing.T, id, command string) outcome {
	t.Helper()
	script := "set -a; . ./" + id + ".env; set +a; PATH=$AGENT_INSTALL_DIR/bin:$PATH; exec " + command
	return s.as(t, nil, "sh", "-c", script)
}

// env reads an environment file that gatewayctl wrote.
func (s *standalone) env(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(s.path(name))
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		vars[key] = value
	}
	return vars
}

// serve adds the node and runs its gateway with what that gave.
func (s *standalone) serve(t *testing.T) *served {
	t.Helper()
	s.ctl(t, "node", "add", "--env-file", s.path("node.env")).succeed(t)
	node := s.env(t, "node.env")
	g := startGateway(t, catalog.Redis{Address: node["REDIS_ADDRESS"], Username: node["REDIS_USER"], Password: node["REDIS_PASSWORD"]})
	g.waitReady(t)
	s.vars = append(s.vars, "NS8_GATEWAY_URL="+g.url)
	t.Cleanup(func() { s.wantNoSecret(t, g) })
	return g
}

// wantNoSecret looks for the passwords that were handed out in the gateway's log.
func (s *standalone) wantNoSecret(t *testing.T, g *served) {
	files, err := filepath.Glob(s.path("*.env"))
	if err != nil || len(files) == 0 {
		t.Errorf("%d environment files, %v", len(files), err)
	}
	log := strings.Join(g.log.all(), "\n")
	for _, file := range files {
		if strings.Contains(log, s.env(t, filepath.Base(file))["REDIS_PASSWORD"]) {
			t.Errorf("the log holds the password of %s", file)
		}
	}
}

// addStore adds a destination in a directory, which the gateway tests.
func (s *standalone) addStore(t *testing.T) {
	t.Helper()
	writeFile(t, s.path("rclone.conf"), []byte("[store]\ntype = local\n"))
	got := s.ctl(t, "destination", "add", "--provider", "rclone", "--conf", s.path("rclone.conf"), "--base-path", s.store)
	s.dest, _, _ = strings.Cut(got.succeed(t).stdout, "\n")
}

// addModule adds a module whose files are below a directory of its name.
func (s *standalone) addModule(t *testing.T, id string, args ...string) {
	t.Helper()
	for name, text := range map[string]string{
		"etc/state-include.conf":           "state/mykey.dump\nvolumes/data\n",
		"bin/module-dump-state":            "#!/bin/sh\nredis-dump module/$MODULE_ID/mykey > mykey.dump\n",
		"bin/module-cleanup-state":         "#!/bin/sh\nrm -f mykey.dump\n",
		"actions/restore-module/20loadkey": "#!/bin/sh\nredis-restore $MODULE_ID/mykey < mykey.dump\n",
	} {
		file := filepath.Join(s.path(id), name)
		writeFile(t, file, []byte(text))
		if err := os.Chmod(file, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(s.path(id), "volumes", "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(args, "--restore-from") { // which brings the key
		s.redis.Do("SET", "module/"+id+"/mykey", "the value of a key")
		writeFile(t, filepath.Join(s.path(id), "volumes", "data", ".keep"), nil)
	}
	args = append([]string{"module", "add", "--dir", s.path(id), "--env-file", s.path(id + ".env")}, args...)
	s.ctl(t, append(args, id)...).succeed(t)
}

// caller is the module as a client of the gateway.
func (s *standalone) caller(t *testing.T, g *served, id string) caller {
	t.Helper()
	vars := s.env(t, id+".env")
	return g.node().with(vars["REDIS_USER"], vars["REDIS_PASSWORD"])
}

// TestStandalone is the whole way from a plain Redis to a restored module, by the
// commands that the documentation names.
func TestStandalone(t *testing.T) {
	t.Parallel()
	s := newStandalone(t)
	g := s.serve(t)
	g.log.want(t, "subscribed to Redis events")
	s.addStore(t)
	s.addModule(t, "app1")
	app1 := s.env(t, "app1.env")
	if got := s.ctl(t, "schedule", "add", "--destination", s.dest, "app1").succeed(t).stdout; got != "1\n" {
		t.Fatalf("the schedule is %q", got)
	}
	tree := makeTree(t)
	runCommand(t, commandContext(t, "cp", "-a", tree, filepath.Join(s.path("app1"), "volumes", "data", "tree")))
	s.redis.Do("SET", "module/app1/mykey", "the value of a key")
	s.inModule(t, "app1", "gatewayctl module-backup 1").succeed(t)
	if left, err := filepath.Glob(filepath.Join(s.path("app1"), "state", "*.dump")); len(left) > 0 || err != nil {
		t.Errorf("%q is left, %v", left, err)
	}

	// A new module gets its files and its key.
	s.addModule(t, "app2", "--restore-from", app1["MODULE_UUID"])
	s.inModule(t, "app2", "gatewayctl restore-module --destination "+s.dest+" --repopath app/"+app1["MODULE_UUID"]).succeed(t)
	wantSameTree(t, tree, filepath.Join(s.path("app2"), "volumes", "data", "tree"))
	if value := s.redis.Do("GET", "module/app2/mykey"); value != "the value of a key" {
		t.Errorf("the key is %q", value)
	}

	// It may not write there, and one without the right not even read.
	s.addModule(t, "app3")
	config := "/" + s.dest + "/app/" + app1["MODULE_UUID"] + "/config"
	content, name := blob(100)
	pack := strings.Replace(config, "config", "data/"+name, 1)
	s.caller(t, g, "app1").want(t, http.StatusOK, http.MethodHead, config, nil)
	s.caller(t, g, "app2").want(t, http.StatusOK, http.MethodHead, config, nil)
	s.caller(t, g, "app2").want(t, http.StatusForbidden, http.MethodPost, pack, content)
	s.caller(t, g, "app3").want(t, http.StatusForbidden, http.MethodGet, config, nil)

	// A Redis that was away knows everybody.
	s.redis.Stop()
	s.redis.Restart()
	s.inModule(t, "app1", "gatewayctl module-backup 1").succeed(t)

	// A new password ends the old one, by the event alone.
	old := s.caller(t, g, "app1")
	s.ctl(t, "module", "passwd", "--env-file", s.path("app1.env"), "app1").succeed(t)
	s.caller(t, g, "app1").want(t, http.StatusOK, http.MethodHead, config, nil)
	waitFor(t, "the old password to be refused", func() bool {
		return old.call(t, http.MethodHead, config, nil).status == http.StatusUnauthorized
	})
	s.inModule(t, "app1", "gatewayctl module-backup 1").succeed(t)

	// So does a removal; the backups stay, and another module reads them.
	old = s.caller(t, g, "app1")
	s.ctl(t, "module", "remove", "app1").succeed(t)
	waitFor(t, "the removed module to be refused", func() bool {
		return old.call(t, http.MethodHead, config, nil).status == http.StatusUnauthorized
	})
	s.caller(t, g, "app2").want(t, http.StatusOK, http.MethodHead, config, nil)
	if got := s.inModule(t, "app1", "gatewayctl module-backup 1"); got.code != 8 || !strings.Contains(got.stderr, `refuses user "module/app1": wrong password, or the user was removed`) {
		t.Errorf("a removed module: exit code %d: %s", got.code, got.stderr)
	}
}

// TestStandaloneWhenRedisLostAll gives everybody back what they had, from the
// environment files and the passwords that were kept.
func TestStandaloneWhenRedisLostAll(t *testing.T) {
	t.Parallel()
	s := newStandalone(t)
	g := s.serve(t)
	s.addStore(t)
	s.addModule(t, "app1")
	s.ctl(t, "schedule", "add", "--destination", s.dest, "app1").succeed(t)
	s.inModule(t, "app1", "gatewayctl module-backup 1").succeed(t)
	for file, of := range map[string][]string{"repository-password": {"--destination", s.dest}, "app1-password": {"--module", "app1"}} {
		shown := s.ctl(t, append([]string{"repository", "password", "show"}, of...)...).succeed(t)
		writeFile(t, s.path(file), []byte(shown.stdout))
	}

	s.redis.Do("FLUSHALL")
	s.redis.Do("ACL", "DELUSER", "node/1", "module/app1")
	s.ctl(t, "node", "add", "--env-file", s.path("node.env")).succeed(t)
	waitFor(t, "the gateway to be ready", g.Ready)
	dest := s.dest
	addDestination := []string{"destination", "add", "--provider", "rclone", "--conf", s.path("rclone.conf"), "--base-path", s.store,
		"--password-file", s.path("repository-password")}
	if got := s.ctl(t, addDestination...); got.code != 12 || !strings.Contains(got.stderr, "module add --repository-password-file") {
		t.Errorf("a repository that opens with no known password: exit code %d: %s", got.code, got.stderr)
	}
	s.addModule(t, "app1", "--repository-password-file", s.path("app1-password"))
	if got := s.ctl(t, addDestination...); got.succeed(t).stdout != dest+"\n" {
		t.Errorf("the destination was %s and is %q", dest, got.stdout)
	}
	s.ctl(t, "schedule", "add", "--id", "1", "--destination", s.dest, "app1").succeed(t)
	out := s.inModule(t, "app1", "gatewayctl module-backup 1").succeed(t)
	if strings.Contains(out.stderr, "making repository") {
		t.Errorf("it started again: %s", out.stderr)
	}
}
