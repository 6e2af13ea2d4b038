package client

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testcert"
)

// TestTheClientTakesEverySettingOfTheServer has a Redis and a Sentinel that want
// client certificates and passwords: by options, by variables, and by the file that
// node add writes for the gateway.
func TestTheClientTakesEverySettingOfTheServer(t *testing.T) {
	ca := testcert.New(t)
	cert, key := ca.Issue(t)
	server, tlsAddr := redistest.StartTLS(t, ca)
	server.Do("ACL", "SETUSER", "default", "off")
	sentinel := redistest.Sentinel{User: "watcher", Password: "watchword-of-sentinel", TLS: ca}.Start(t, "own", server, tlsAddr)
	admin := redistest.Password(redistest.AdminUser)

	byURL := map[string]string{
		"REDIS_URL": "rediss://" + tlsAddr, "REDIS_CA": ca.CA, "REDIS_CERT": cert, "REDIS_KEY": key,
		"REDIS_USER": redistest.AdminUser, "REDIS_PASSWORD": admin,
	}
	callApplet(t, byURL, "", program, "node", "list").succeed(t)
	inURL := maps.Clone(byURL)
	delete(inURL, "REDIS_USER")
	delete(inURL, "REDIS_PASSWORD")
	inURL["REDIS_URL"] = "rediss://" + redistest.AdminUser + ":" + admin + "@" + tlsAddr
	callApplet(t, inURL, "", program, "node", "list").succeed(t)

	login := map[string]string{"REDIS_USER": redistest.AdminUser, "REDIS_PASSWORD": admin, "REDIS_SENTINEL_PASSWORD": "watchword-of-sentinel"}
	options := []string{
		program, "--redis-sentinel", sentinel, "--redis-sentinel-master", "own", "--redis-sentinel-user", "watcher", "--redis-sentinel-tls",
		"--redis-ca", ca.CA, "--redis-cert", cert, "--redis-key", key,
	}
	file := filepath.Join(t.TempDir(), "node.env")
	callApplet(t, login, "", append(options, "node", "add", "--env-file", file)...).succeed(t)

	// What it wrote is all that another command needs, whatever the shell exports.
	elsewhere := map[string]string{"REDIS_ADDRESS": "127.0.0.1:1", "REDIS_REPLICA_ADDRESS": "127.0.0.1:1", "REDIS_USER": "nobody", "REDIS_PASSWORD_FILE": "/nonexistent"}
	callApplet(t, elsewhere, "", program, "--env-file", file, "redis-dump", "cluster/uuid").succeed(t)
	dumped := callApplet(t, elsewhere, "", "redis-dump", "--env-file", file, "cluster/uuid").succeed(t)
	if dumped.stdout == "" {
		t.Error("the key is empty")
	}
	told := callApplet(t, login, "", append(options, "node", "add", "--env-file", file, "--json")...).succeed(t)
	var shown map[string]string
	if err := json.Unmarshal([]byte(told.stdout), &shown); err != nil {
		t.Fatal(err)
	}
	if shown["REDIS_SENTINEL"] != sentinel || shown["REDIS_SENTINEL_TLS"] != "true" || shown["REDIS_CERT"] != cert || strings.Contains(told.stdout, "watchword") {
		t.Errorf("it told %s", told.stdout)
	}

	for name, test := range map[string]struct {
		without, with string
		want          string
	}{
		"no client certificate":   {"REDIS_CERT", "REDIS_KEY", "client certificate"},
		"no password of Sentinel": {"REDIS_SENTINEL_PASSWORD", "", "$REDIS_SENTINEL_PASSWORD"},
	} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		vars := envfile.Parse(data)
		delete(vars, test.without)
		delete(vars, test.with)
		got := callApplet(t, vars, "", "redis-dump", "cluster/uuid")
		got.fail(t, exit.Redis, test.want)
		if strings.Contains(got.stderr, "REDIS_PASSWORD") {
			t.Errorf("%s: a password that was given is asked for: %s", name, got.stderr)
		}
	}
}

func TestTwoSourcesOfAPasswordAreAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{"REDIS_ADDRESS": "127.0.0.1:1", "REDIS_USER": "node/1", "REDIS_PASSWORD": "hunter2", "REDIS_PASSWORD_FILE": file, "MODULE_ID": "a1"}
	for _, command := range [][]string{
		{"node", "list"}, {"destination", "list"}, {"schedule", "list"}, {"restic-wrapper", "snapshots"},
		{"destination", "check", scriptDestination},
	} {
		got := callApplet(t, vars, "", append([]string{program}, command...)...)
		got.fail(t, exit.Usage, "given twice, by $REDIS_PASSWORD and by --redis-password-file ($REDIS_PASSWORD_FILE)")
		if strings.Contains(got.stderr, "hunter2") {
			t.Errorf("%v: %s", command, got.stderr)
		}
	}
}
