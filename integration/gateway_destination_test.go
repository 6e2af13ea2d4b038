package integration

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rclone/rclone/fs/config/obscure"

	"github.com/rclone-gateway/rclone-gateway/client"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// administrator calls gatewayctl as on the leader, in the environment of the
// cluster's agent.
func administrator(t *testing.T, c *cluster, g *served) func(stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	node := filepath.Join(t.TempDir(), "agent.env")
	text := "REDIS_USER=node/1\nREDIS_PASSWORD=" + redistest.Password("node/1") + "\n"
	if err := os.WriteFile(node, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"REDIS_ADDRESS": c.Addr, "REDIS_REPLICA_ADDRESS": c.Addr,
		"REDIS_USER": redistest.AdminUser, "REDIS_PASSWORD": redistest.Password(redistest.AdminUser),
		"NS8_AGENT_ENV": node, "NS8_CORE_ENV": "/nowhere", "NS8_GATEWAY_URL": g.url,
	} {
		t.Setenv(name, value)
	}
	return func(stdin string, args ...string) (int, string, string) {
		var stdout, stderr bytes.Buffer
		status := client.Main(append([]string{"gatewayctl", "destination"}, args...), strings.NewReader(stdin), &stdout, &stderr)
		wantNoSecret(t, strings.Join(args, " "), stderr.String())
		return status, stdout.String(), stderr.String()
	}
}

// TestAdministratorOfS3 adds a destination on real S3 storage, with wrong keys
// first, uses, tests and removes it.
func TestAdministratorOfS3(t *testing.T) {
	c := newCluster(t)
	g := c.serve(t)
	call := administrator(t, c, g)
	dir := t.TempDir()
	endpoint := startRclone(t, "s3", dir, "--auth-key", s3AccessKey+","+s3SecretKey)
	if err := os.Mkdir(filepath.Join(dir, "backups"), 0o755); err != nil {
		t.Fatal(err)
	}
	add := func(secret, url string) (int, string, string) {
		return call(secret, "add", "--provider", "generic-s3", "--url", url, "--set", "aws_access_key_id="+s3AccessKey, "--secret-file", "aws_secret_access_key=-")
	}
	for name, tt := range map[string]struct{ secret, url, want string }{
		"a wrong secret":              {"wrong", "s3:" + endpoint + "/backups/x", "does not accept the credentials"},
		"no such bucket":              {s3SecretKey, "s3:" + endpoint + "/absent/x", "does not exist"},
		"no such server":              {s3SecretKey, "s3:http://127.0.0.1:1/backups/x", "nothing listens"},
		"TLS to one that speaks none": {s3SecretKey, "s3:" + strings.Replace(endpoint, "http:", "https:", 1) + "/backups", "certificate"},
	} {
		if status, _, stderr := add(tt.secret, tt.url); status != 5 || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit status %d: %s; want %q", name, status, stderr, tt.want)
		}
	}
	status, stdout, stderr := add(s3SecretKey, "s3:"+endpoint+"/backups/x")
	returned := time.Now()
	id, _, _ := strings.Cut(stdout, "\n")
	if status != 0 || id == "" {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	g.node().want(t, http.StatusOK, http.MethodPost, "/"+id+"/"+mailRepo+"/?create=true", nil)
	t.Logf("served %v after the command's return", time.Since(returned))

	// This server, unlike S3 itself, shows an object that is replaced at the moment.
	_, stdout, stderr = call("", "check", "--conformance", id)
	for line := range strings.Lines(stdout) {
		if strings.Contains(line, ": FAILED") && !strings.Contains(line, "at once") {
			t.Errorf("check --conformance: %s", line)
		}
	}
	if !strings.Contains(stdout, "lists are complete at every depth: ok\n") {
		t.Errorf("check --conformance ended with %s%s", stdout, stderr)
	}
	if status, _, stderr := call("wrong", "alter", "--secret-file", "aws_secret_access_key=-", id); status != 5 {
		t.Errorf("alter with a wrong key: exit status %d: %s", status, stderr)
	}
	if status, _, stderr := call("", "check", id); status != 0 {
		t.Errorf("check after a refused change: exit status %d: %s", status, stderr)
	}
	if status, _, stderr := call("", "remove", id); status != 0 {
		t.Errorf("remove: exit status %d: %s", status, stderr)
	}
	err := filepath.WalkDir(filepath.Join(dir, "backups"), func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			t.Errorf("left on the storage: %s", name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestPasswordsAreObscuredByRclonesOwnCode has rclone itself reveal what the gateway
// made of a password.
func TestPasswordsAreObscuredByRclonesOwnCode(t *testing.T) {
	c := newCluster(t)
	g := c.serve(t)
	call := administrator(t, c, g)
	const secret = `100%(x)s "q" # ; = pässwörd`
	status, stdout, stderr := call(secret+"\n", "add", "--no-test", "--provider", "smb", "--url", "smb:share", "--set", "smb_host=127.0.0.1",
		"--set", "smb_user=me", "--set", "smb_domain=", "--secret-file", "smb_pass=-")
	if status != 0 {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	id, _, _ := strings.Cut(stdout, "\n")
	conf, _ := c.Do("HGET", "private/nodes/backup_destination/rclone_conf", id).(string)
	_, obscured, _ := strings.Cut(conf, "\npass = ")
	obscured, _, _ = strings.Cut(obscured, "\n")
	if plain, err := obscure.Reveal(obscured); err != nil || plain != secret {
		t.Errorf("rclone reveals %q, %v", plain, err)
	}
}
