package integration

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
	"github.com/rclone-gateway/rclone-gateway/internal/pairing"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testcert"
)

// Addresses of three hosts, and what the other hosts know of the gateway.
const (
	gatewayHost = "10.7.0.1"
	hostOne     = "10.7.0.2"
	hostTwo     = "10.7.0.3"
	fromOutside = "https://" + gatewayHost + ":4694"
)

// hosts are three of them: that of the gateway, with a Redis that listens on its loopback
// address alone, and two of modules, which reach nothing but the gateway. A CA of their own
// vouches for the gateway.
type hosts struct {
	t     *testing.T
	redis *redistest.Server
	dir   string // with the administrator's files
	bin   string // gatewayctl by all its names, and restic
	store string
	dest  string
	ca    string // file of the CA's certificate

	gateway, one, two *netns
	process           *process
	serving           []string // the variables of the gateway
}

func newHosts(t *testing.T) *hosts {
	t.Helper()
	h := &hosts{t: t, dir: t.TempDir(), store: t.TempDir(), gateway: newNetns(t), one: newNetns(t), two: newNetns(t)}
	network := newVPN(t)
	for n, address := range map[*netns]string{h.gateway: gatewayHost, h.one: hostOne, h.two: hostTwo} {
		network.join(t, n, address+"/24")
	}
	h.redis = redistest.StartAt(t, redistest.Place{Enter: h.gateway.enter(), Port: "6379"})
	h.redis.Do("ACL", "SETUSER", "default", "resetpass", ">"+adminPassword)
	h.bin = filepath.Join(h.dir, "bin")
	for variable, name := range map[string]string{"RESTIC_0_18": "restic", "GATEWAYCTL": "gatewayctl"} {
		if err := os.MkdirAll(h.bin, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(program(t, variable), filepath.Join(h.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	authority := testcert.New(t)
	h.ca = authority.CA
	cert, key := authority.Issue(t, gatewayHost, "127.0.0.1")
	h.ctl("node", "add", "--env-file", h.path("node.env")).succeed(t)
	text, err := os.ReadFile(h.path("node.env"))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range envfile.Parse(text) {
		h.serving = append(h.serving, name+"="+value)
	}
	h.serving = append(h.serving, "GATEWAY_TLS_CERT="+cert, "GATEWAY_TLS_KEY="+key, "GATEWAY_ALLOW_FROM="+gatewayHost+"/24",
		"GATEWAY_ADDR=127.0.0.1:4694,"+gatewayHost+":4694", "GATEWAY_STATE_DIR="+t.TempDir(), "GATEWAY_AUDIT_LOG="+h.path("audit.log"))
	h.start()
	writeFile(t, h.path("rclone.conf"), []byte("[store]\ntype = local\n"))
	got := h.ctl("destination", "add", "--provider", "rclone", "--conf", h.path("rclone.conf"), "--base-path", h.store)
	h.dest, _, _ = strings.Cut(got.succeed(t).stdout, "\n")
	return h
}

func (h *hosts) path(name string) string { return filepath.Join(h.dir, name) }

// start runs the gateway, and waits until it has read Redis.
func (h *hosts) start() {
	h.t.Helper()
	cmd := h.gateway.moved(h.t, exec.Command(program(h.t, "RCLONE_GATEWAY"), "serve"))
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, h.serving...)
	h.process = startProcess(h.t, cmd)
	h.process.out.want(h.t, "loaded from Redis")
}

// restart ends the gateway and starts it again.
func (h *hosts) restart() {
	h.t.Helper()
	h.process.signal(h.t, syscall.SIGTERM)
	h.process.wait(h.t)
	h.start()
}

// on runs a command line on one of the hosts, in a shell with few variables.
func (h *hosts) on(n *netns, stdin, line string, vars ...string) outcome {
	h.t.Helper()
	cmd := n.moved(h.t, commandContext(h.t, "/bin/sh", "-c", "cd "+h.dir+" && "+line))
	cmd.Env = append([]string{"PATH=" + h.bin + ":/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + h.dir, "NS8_CORE_ENV=/nonexistent", "NS8_AGENT_ENV=/nonexistent"}, vars...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		h.t.Fatal(err)
	}
	wantNoSecret(h.t, line, stderr.String())
	return outcome{exitCode(err), stdout.String(), stderr.String()}
}

// ctl runs gatewayctl as the administrator, on the gateway's host.
func (h *hosts) ctl(args ...string) outcome {
	h.t.Helper()
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = "'" + arg + "'"
	}
	return h.on(h.gateway, "", "exec gatewayctl "+strings.Join(quoted, " "), "REDIS_PASSWORD="+adminPassword,
		"NS8_AGENT_ENV="+h.path("node.env"), "GATEWAY_MODULES_DIR="+h.path("modules.d"), "NS8_GATEWAY_URL=https://127.0.0.1:4694", "RESTIC_CACERT="+h.ca)
}

var printedCommand = regexp.MustCompile(`gatewayctl module join .*`)

// pair has a code made for a module, and returns it with the command that is printed.
func (h *hosts) pair(id, dir string) (code, command string) {
	h.t.Helper()
	got := h.ctl("module", "add", "--pair", "--gateway", fromOutside, "--dir", dir, id).succeed(h.t)
	return got.stdout, printedCommand.FindString(got.stderr)
}

// env are the variables of a module's environment on its host.
func (h *hosts) env(dir string) map[string]string {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "etc", "module.env"))
	if err != nil {
		h.t.Fatal(err)
	}
	return envfile.Parse(text)
}

// fill gives a module something to back up.
func (h *hosts) fill(dir, content string) {
	h.t.Helper()
	writeFile(h.t, filepath.Join(dir, "etc", "state-include.conf"), []byte("volumes/data\n"))
	writeFile(h.t, filepath.Join(dir, "volumes", "data", "file"), []byte(content))
}

// as runs gatewayctl as a module, on its host.
func (h *hosts) as(n *netns, dir, args string) outcome {
	h.t.Helper()
	return h.on(n, "", "exec gatewayctl --env-file "+dir+"/etc/module.env "+args)
}

// wantRoundTrip backs a module up, loses its file, and gets it back.
func (h *hosts) wantRoundTrip(n *netns, dir, content string) {
	h.t.Helper()
	file := filepath.Join(dir, "volumes", "data", "file")
	writeFile(h.t, file, []byte(content))
	h.as(n, dir, "module-backup 1").succeed(h.t)
	if err := os.Remove(file); err != nil {
		h.t.Fatal(err)
	}
	h.as(n, dir, "restore-module --destination "+h.dest).succeed(h.t)
	if got, err := os.ReadFile(file); err != nil || string(got) != content {
		h.t.Fatalf("restored is %q: %v", got, err)
	}
	if got := h.as(n, dir, "restic-wrapper snapshots --json").succeed(h.t); !strings.Contains(got.stdout, `"short_id"`) {
		h.t.Errorf("restic-wrapper says %s", got.stdout)
	}
}

// client sends requests from a host as the user of an environment.
func (h *hosts) client(n *netns, vars map[string]string) caller {
	h.t.Helper()
	c := callerOf(fromOutside, "").with(vars["REDIS_USER"], vars["REDIS_PASSWORD"])
	c.client = n.secureClient(h.t, h.ca)
	return c
}

// TestModulesOnHostsOfTheirOwn has two modules on hosts that reach the gateway and no Redis:
// one joins with a code, the other with a file.
func TestModulesOnHostsOfTheirOwn(t *testing.T) {
	t.Parallel()
	h := newHosts(t)
	for _, n := range []*netns{h.one, h.two} {
		err := n.inside(func() error {
			conn, err := net.DialTimeout("tcp", gatewayHost+":6379", patience)
			if err == nil {
				_ = conn.Close()
			}
			return err
		})
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("Redis is reached from a module's host: %v", err)
		}
	}
	one, two := t.TempDir(), t.TempDir()
	code, command := h.pair("app1", one)
	h.on(h.one, code, command).succeed(t)
	h.ctl("module", "add", "--host-file", h.path("app2.host"), "--gateway", fromOutside, "--dir", two, "app2").succeed(t)
	h.on(h.two, "", "gatewayctl module join app2.host").succeed(t)
	h.ctl("schedule", "add", "--destination", h.dest, "app1", "app2").succeed(t)

	h.fill(one, "of app1")
	h.fill(two, "of app2")
	h.wantRoundTrip(h.one, one, "of app1")
	h.wantRoundTrip(h.two, two, "of app2")
	h.wantOutcomes("app1", "app2")
	t.Run("the passwords change", func(t *testing.T) { h.changePasswords(t, one, two) })
	t.Run("a stolen environment opens nothing of another module", func(t *testing.T) { h.steal(t, one, two) })
	t.Run("the node leaves the backup to the hosts", h.runOnNode)
}

// wantOutcomes wants each backup to be in the history that Redis has.
func (h *hosts) wantOutcomes(modules ...string) {
	h.t.Helper()
	got := h.ctl("runs", "list").succeed(h.t)
	for _, id := range modules {
		if !strings.Contains(got.stdout, id) {
			h.t.Errorf("the history lacks the backup of %s:\n%s%s", id, got.stdout, got.stderr)
		}
	}
}

// changePasswords changes that of both modules, and that of the repositories.
func (h *hosts) changePasswords(t *testing.T, one, two string) {
	old := h.env(one)
	code, command := h.pair("app1", one)
	if got := h.as(h.one, one, "module-backup 1"); got.code == 0 {
		t.Error("the old password is still good after a new code was made")
	}
	h.on(h.one, code, command).succeed(t)
	if renewed := h.env(one); renewed["REDIS_PASSWORD"] == old["REDIS_PASSWORD"] || renewed["MODULE_UUID"] != old["MODULE_UUID"] {
		t.Error("the code brought the old password, or another UUID")
	}
	h.wantRoundTrip(h.one, one, "after a new code")

	h.ctl("module", "passwd", "--keep-old", "--env-file", h.path("app2.host"), "app2").succeed(t)
	h.as(h.two, two, "module-backup 1").succeed(t)
	h.on(h.two, "", "gatewayctl module join app2.host").succeed(t)
	h.ctl("module", "passwd", "--drop-old", "--env-file", h.path("app2.host"), "app2").succeed(t)
	h.wantRoundTrip(h.two, two, "after two steps")

	left := h.ctl("repository", "password", "rotate", "--destination", h.dest).succeed(t)
	for _, dir := range []string{one, two} {
		if !strings.Contains(left.stderr, "app/"+h.env(dir)["MODULE_UUID"]+": its module has a password of its own") {
			t.Errorf("a repository with a password of its own is not named: %s", left.stderr)
		}
	}
	h.ctl("repository", "password", "rotate", "--module", "app1").succeed(t)
	h.wantRoundTrip(h.one, one, "with a new password of the repository")
	h.wantRoundTrip(h.two, two, "with the same password of the repository")
	h.moveOver(t)
}

// moveOver gives a module as earlier versions made them a password of its own.
func (h *hosts) moveOver(t *testing.T) {
	dir := t.TempDir()
	h.ctl("module", "add", "--uuid", "7c5fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11", "--host-file", h.path("app4.host"), "--gateway", fromOutside, "--dir", dir, "--schedule", "1", "app4").succeed(t)
	h.on(h.two, "", "gatewayctl module join app4.host").succeed(t)
	h.fill(dir, "of app4")
	h.wantRoundTrip(h.two, dir, "of app4")
	vars := h.env(dir)
	shared := h.passwordOf(t, vars)
	if !h.opens(t, "RESTIC_0_18", shared, vars) || !slices.Contains(h.readsPasswords(t, vars), shared) {
		t.Error("a module as earlier versions made them has a password of its own")
	}
	h.ctl("repository", "password", "rotate", "--module", "app4").succeed(t)
	h.wantRoundTrip(h.two, dir, "of app4, with its own")
	if h.opens(t, "RESTIC_0_18", shared, vars) || !h.opens(t, "RESTIC_0_18", h.passwordOf(t, vars), vars) {
		t.Error("the password of the destination still opens the repository, or its own does not")
	}
	if read := h.readsPasswords(t, vars); len(read) > 0 {
		t.Error("the module still reads the passwords of destinations")
	}
	h.ctl("module", "remove", "app4").succeed(t)
}

// passwordOf is what the gateway tells a module of its repository.
func (h *hosts) passwordOf(t *testing.T, vars map[string]string) string {
	t.Helper()
	var told adminapi.ModulePassword
	answer := h.client(h.two, vars).want(t, http.StatusOK, http.MethodGet, passwordPath(h.dest+"/app/"+vars["MODULE_UUID"]), nil)
	if err := json.Unmarshal(answer.body, &told); err != nil {
		t.Fatal(err)
	}
	return told.Password
}

// readsPasswords are the passwords of destinations that a module reads in Redis.
func (h *hosts) readsPasswords(t *testing.T, vars map[string]string) []string {
	t.Helper()
	read, err := h.redis.Client(vars["REDIS_USER"], vars["REDIS_PASSWORD"]).HVals(t.Context(), catalog.ResticPassword).Result()
	if err != nil && !strings.Contains(err.Error(), "NOPERM") {
		t.Fatal(err)
	}
	return read
}

// opens reports whether restic opens the repository of a module, on the storage itself, with
// a password.
func (h *hosts) opens(t *testing.T, version, password string, vars map[string]string) bool {
	t.Helper()
	cmd := commandContext(t, program(t, version), "--repo", filepath.Join(h.store, "app", vars["MODULE_UUID"]), "--no-lock", "--no-cache", "cat", "config")
	cmd.Env = append(os.Environ(), "RESTIC_PASSWORD="+password)
	said, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(string(said), "wrong password or no key found") {
		t.Fatalf("%v: %s", err, said)
	}
	return err == nil
}

// steal is the thief of app1's environment, on a third host: what of app2 can be had?
func (h *hosts) steal(t *testing.T, one, two string) {
	stolen, other := h.env(one), h.env(two)
	thief := h.client(h.two, stolen)
	repo := func(vars map[string]string) string { return "/" + h.dest + "/app/" + vars["MODULE_UUID"] }
	thief.want(t, http.StatusOK, http.MethodHead, repo(stolen)+"/config", nil)
	content, name := blob(100)
	for _, request := range []struct{ method, path string }{
		{http.MethodGet, "/config"}, {http.MethodHead, "/config"}, {http.MethodGet, "/keys/"}, {http.MethodPost, "/data/" + name}, {http.MethodDelete, "/locks/" + name},
	} {
		thief.want(t, http.StatusForbidden, request.method, repo(other)+request.path, content)
	}
	facts := thief.want(t, http.StatusOK, http.MethodGet, adminapi.ModuleFactsPath, nil)
	if text := string(facts.body); strings.Contains(text, other["MODULE_UUID"]) || strings.Contains(text, "app2") || !strings.Contains(text, stolen["MODULE_UUID"]) {
		t.Errorf("the facts of app1 are %s", text)
	}
	thief.want(t, http.StatusForbidden, http.MethodGet, passwordPath(strings.TrimPrefix(repo(other), "/")), nil)
	for _, version := range []string{"RESTIC_0_14", "RESTIC_0_18"} { // at the storage, where no gateway is in the way
		if password := h.passwordOf(t, stolen); !h.opens(t, version, password, stolen) || h.opens(t, version, password, other) {
			t.Errorf("%s: the password of app1's repository does not open that one, or opens app2's", version)
		}
	}
	pending, _ := h.pair("app3", filepath.Join(h.dir, "app3"))
	ticket := ticketOf(t, pending)

	// Now Redis is open to the thief.
	rdb := h.redis.Client(stolen["REDIS_USER"], stolen["REDIS_PASSWORD"])
	h.redis.Do("SET", "module/app2/mykey", "of app2")
	for _, words := range [][]any{
		{"GET", "module/app2/mykey"}, {"SET", "module/app2/mykey", "x"}, {"HGETALL", catalog.ModuleEnvironmentKey("app2")},
		{"GET", catalog.PairingKey("1", pairing.Name(ticket))}, {"GETDEL", catalog.PairingKey("1", pairing.Name(ticket))},
		{"HGETALL", catalog.ResticPassword}, {"HGET", catalog.ResticPassword, h.dest}, {"HGETALL", catalog.ModulePassword}, {"HGET", catalog.ModulePassword, other["MODULE_UUID"]},
		{"HSET", catalog.ModulePassword, other["MODULE_UUID"], "x"}, {"HGETALL", catalog.ModulePasswordRotation},
		{"HGETALL", catalog.RcloneConf}, {"HGETALL", catalog.ResticPasswordRotation}, {"SMEMBERS", catalog.ACLs}, {"ACL", "LIST"},
		{"SADD", catalog.ModulesElsewhere, "app2"}, {"SMEMBERS", catalog.ModulesElsewhere},
	} {
		if err := rdb.Do(t.Context(), words...).Err(); err == nil || !strings.Contains(err.Error(), "NOPERM") {
			t.Errorf("redis lets the thief %v: %v", words, err)
		}
	}
}

// ticketOf is what a code is sent as.
func ticketOf(t *testing.T, text string) string {
	t.Helper()
	code, err := pairing.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return code.Ticket()
}

// runOnNode runs the schedule on the node: nothing is missed there, and nobody is asked to
// back up what is elsewhere.
func (h *hosts) runOnNode(t *testing.T) {
	got := h.on(h.gateway, "", "exec gatewayctl --env-file node.env run-backup --backup 1 --state-dir "+t.TempDir(),
		"GATEWAY_MODULES_DIR="+h.path("modules.d"), "NS8_GATEWAY_URL=https://127.0.0.1:4694", "RESTIC_CACERT="+h.ca)
	if got.code != 0 || strings.Contains(got.stderr, "nothing says how module") {
		t.Errorf("run-backup ends with %d: %s%s", got.code, got.stdout, got.stderr)
	}
}

// TestPairingCodes is what becomes of codes: one use, one winner, one hour.
func TestPairingCodes(t *testing.T) {
	t.Parallel()
	h := newHosts(t)
	refusedAs := func(t *testing.T, got outcome, words string) {
		t.Helper()
		if got.code == 0 || !strings.Contains(got.stderr, words) {
			t.Errorf("exit code %d: %s", got.code, got.stderr)
		}
	}
	const noCode = "it is wrong, was used, or has expired"
	t.Run("a gateway that starts again knows them", func(t *testing.T) {
		code, command := h.pair("app1", t.TempDir())
		h.restart()
		h.on(h.one, code, command).succeed(t)
		refusedAs(t, h.on(h.one, code, command), noCode)
	})
	t.Run("one of two at once wins", func(t *testing.T) {
		code, command := h.pair("app2", filepath.Join(h.dir, "of-one"))
		results := make(chan outcome)
		for n, dir := range map[*netns]string{h.one: "of-one", h.two: "of-two"} {
			line := strings.Replace(command, "of-one", dir, 1)
			go func() { results <- h.on(n, code, line) }()
		}
		first, second := <-results, <-results
		if (first.code == 0) == (second.code == 0) || !strings.Contains(first.stderr+second.stderr, noCode) {
			t.Errorf("%d: %s\n%d: %s", first.code, first.stderr, second.code, second.stderr)
		}
	})
	t.Run("its time is over by the clock of Redis", func(t *testing.T) {
		code, command := h.pair("app3", t.TempDir())
		key := catalog.PairingKey("1", pairing.Name(ticketOf(t, code)))
		if left, isNumber := h.redis.Do("PTTL", key).(int64); !isNumber || left <= 0 || left > time.Hour.Milliseconds() {
			t.Errorf("it lives for %v ms", left)
		}
		h.redis.Do("PEXPIREAT", key, 1)
		refusedAs(t, h.on(h.one, code, command), noCode)
	})
	t.Run("a new one ends the old one", func(t *testing.T) {
		dir := t.TempDir()
		old, command := h.pair("app4", dir)
		if got := h.ctl("module", "list").succeed(t); !strings.Contains(got.stdout, "code until") {
			t.Errorf("the list does not show the code: %s", got.stdout)
		}
		renewed, _ := h.pair("app4", dir)
		refusedAs(t, h.on(h.one, old, command), noCode)
		h.on(h.one, renewed, command).succeed(t)
	})
	t.Run("another gateway's certificate gets nothing", func(t *testing.T) {
		code, command := h.pair("app5", t.TempDir())
		wrong := regexp.MustCompile(`--ca-sha256 \S+`).ReplaceAllString(command, "--ca-sha256 "+strings.Repeat("0", 64))
		refusedAs(t, h.on(h.one, code, wrong), "the code was not sent")
		h.on(h.one, code, command).succeed(t)
	})
	t.Run("who guesses waits, and others do not", func(t *testing.T) {
		code, command := h.pair("app6", t.TempDir())
		anybody := h.client(h.two, nil)
		guess := func() int {
			body, err := json.Marshal(adminapi.PairRequest{Ticket: pairing.New().Ticket()})
			if err != nil {
				t.Fatal(err)
			}
			return anybody.call(t, http.MethodPost, adminapi.PairPath, body).status
		}
		var statuses []int
		for range 20 {
			statuses = append(statuses, guess())
		}
		if statuses[0] != http.StatusForbidden || statuses[19] != http.StatusTooManyRequests || slices.Contains(statuses, http.StatusOK) {
			t.Errorf("guesses get %v", statuses)
		}
		refusedAs(t, h.on(h.two, code, command), "takes no more codes from this address")
		h.on(h.one, code, command).succeed(t)
	})
	log, err := os.ReadFile(h.path("audit.log"))
	if err != nil || !strings.Contains(string(log), `"pair"`) || !strings.Contains(string(log), "no such pairing code") {
		t.Errorf("the audit log is %s: %v", log, err)
	}
}
