package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rclone/rclone/fs/config/obscure"

	"github.com/rclone-gateway/rclone-gateway/client"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/rcloneconf"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// administrator calls gatewayctl as on the leader, in the environment of the
// cluster's agent.
func administrator(t *testing.T, c *cluster, g *served) func(stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	for name, value := range leaderEnv(t, c, g.url) {
		t.Setenv(name, value)
	}
	return func(stdin string, args ...string) (int, string, string) {
		var stdout, stderr bytes.Buffer
		status := client.Main(append([]string{"gatewayctl", "destination"}, args...), strings.NewReader(stdin), &stdout, &stderr)
		wantNoSecret(t, strings.Join(args, " "), stderr.String())
		return status, stdout.String(), stderr.String()
	}
}

// leaderEnv is the environment of the cluster's agent on the leader.
func leaderEnv(t *testing.T, c *cluster, gatewayURL string) map[string]string {
	t.Helper()
	node := filepath.Join(t.TempDir(), "agent.env")
	text := "REDIS_USER=node/1\nREDIS_PASSWORD=" + redistest.Password("node/1") + "\n"
	if err := os.WriteFile(node, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"REDIS_ADDRESS": c.Addr, "REDIS_REPLICA_ADDRESS": c.Addr,
		"REDIS_USER": redistest.AdminUser, "REDIS_PASSWORD": redistest.Password(redistest.AdminUser),
		"NS8_AGENT_ENV": node, "NS8_CORE_ENV": "/nowhere", "NS8_GATEWAY_URL": gatewayURL,
	}
}

// gatewayctl is "gatewayctl destination" as a program of its own, as on the leader.
func gatewayctl(t *testing.T, c *cluster, gatewayURL string, more ...string) func(stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	binary := program(t, "GATEWAYCTL")
	env := []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range leaderEnv(t, c, gatewayURL) {
		env = append(env, name+"="+value)
	}
	env = append(env, more...)
	return func(stdin string, args ...string) (string, string, error) {
		cmd := commandContext(t, binary, append([]string{"destination"}, args...)...)
		cmd.Env, cmd.Stdin = env, strings.NewReader(stdin)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		wantNoSecret(t, strings.Join(args, " "), stderr.String())
		return stdout.String(), stderr.String(), err
	}
}

// TestAddedDestinationsAreServedUnderLoad adds destinations with the program, to a
// gateway that modules are busy with and that strangers bother. Each must be served
// at the first request after the command's return, and nothing else may fail. The
// log says how long that request took.
func TestAddedDestinationsAreServedUnderLoad(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	d := c.start(t)
	call := gatewayctl(t, c, d.url)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	defer load.Wait()
	defer stop()
	for range 4 {
		load.Go(func() {
			for ctx.Err() == nil {
				backUp(t, d.module("mail1"), "/"+localDest+"/"+mailRepo)
			}
		})
	}
	// Each request of a stranger is one that may be news.
	load.Go(func() {
		for ctx.Err() == nil {
			answer, err := d.module("nobody9").do(ctx, http.MethodHead, "/"+localDest+"/"+mailRepo+"/config", nil)
			if err == nil && answer.status != http.StatusUnauthorized {
				t.Errorf("a stranger got %d", answer.status)
			}
		}
	})
	var took []time.Duration
	for range 10 {
		stdout, stderr, err := call("", "add", "--provider", "rclone", "--conf", localSection(t), "--base-path", t.TempDir())
		returned := time.Now()
		id, _, _ := strings.Cut(stdout, "\n")
		if err != nil {
			t.Fatalf("%v: %s", err, stderr)
		}
		d.module("mail1").want(t, http.StatusOK, http.MethodPost, "/"+id+"/"+mailRepo+"/?create=true", nil)
		took = append(took, time.Since(returned).Round(100*time.Microsecond))
		d.module("mail1").want(t, http.StatusOK, http.MethodPost, "/"+id+"/"+mailRepo+"/config", aConfig)
	}
	slices.Sort(took)
	t.Logf("served after the command's return: median %v, at most %v", took[len(took)/2], took[len(took)-1])
}

// localSection is a file with the section of a directory.
func localSection(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rclone.conf")
	if err := os.WriteFile(file, []byte("type = local\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestDestinationsAreListedWithTheirSpace lists a directory, whose disk tells its
// space, and storage that tells nothing, or does not answer.
func TestDestinationsAreListedWithTheirSpace(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.AddDestinations(s3Destination(moreDest, "http://"+answeringServer(t, "garbage\n")))
	d := c.start(t)
	call := gatewayctl(t, c, d.url)
	if _, stderr, err := call("", "alter", "--quota", "1T", localDest); err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	content, name := blob(3 << 20)
	waitFor(t, "the quota to be counted", func() bool {
		d.module("mail1").want(t, http.StatusOK, http.MethodPost, "/"+localDest+"/"+mailRepo+"/data/"+name, content)
		stdout, stderr, err := call("", "list")
		if err != nil {
			t.Fatalf("%v: %s", err, stderr)
		}
		return strings.Contains(stdout, "3.0 MiB of 1.0 TiB")
	})
	var last string
	defer func() {
		if t.Failed() {
			t.Logf("the last list: %s", last)
		}
	}()
	// What does not tell in two seconds is left out, which on a busy machine may be any.
	waitFor(t, "the directory, and it alone, to tell its space", func() bool {
		var err error
		if last, _, err = call("", "list", "--json"); err != nil {
			t.Fatal(err)
		}
		told := tellSpace(t, last)
		if len(told) != 2 || told[moreDest] {
			t.Fatalf("%v tell their space", told)
		}
		return told[localDest]
	})
}

// tellSpace returns the destinations of a list in JSON, and which tell their space.
func tellSpace(t *testing.T, list string) map[string]bool {
	t.Helper()
	var destinations []struct {
		ID    string
		Space map[string]*int64
	}
	if err := json.Unmarshal([]byte(list), &destinations); err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, d := range destinations {
		free, total := d.Space["free"], d.Space["total"]
		told[d.ID] = free != nil && *free > 0 && total != nil && *total >= *free
	}
	return told
}

// TestPasswordsAreObscuredWithoutAGateway has the gateway's program do it.
func TestPasswordsAreObscuredWithoutAGateway(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	const secret = `100%(x)s "q" # ; = pässwörd`
	args := []string{
		"add", "--provider", "smb", "--url", "smb:share", "--set", "smb_host=127.0.0.1", "--set", "smb_user=me", "--set", "smb_domain=", "--secret-file", "smb_pass=-",
	}
	// It is beside gatewayctl, or in $PATH.
	_ = program(t, "RCLONE_GATEWAY")
	call := gatewayctl(t, c, "http://"+testenv.FreeAddr(t), "PATH="+filepath.Dir(program(t, "RCLONE_GATEWAY")))
	if _, stderr, err := call(secret+"\n", args...); err == nil || !strings.Contains(stderr, "--no-test") || !strings.Contains(stderr, "check-destination") {
		t.Errorf("with a test: %v: %s", err, stderr)
	}
	stdout, stderr, err := call(secret+"\n", append(args, "--no-test")...)
	if err != nil {
		t.Fatalf("without a test: %v: %s", err, stderr)
	}
	id, _, _ := strings.Cut(stdout, "\n")
	wantObscured(t, c, id, secret)
}

// wantObscured has rclone itself reveal the password of a destination.
func wantObscured(t *testing.T, c *cluster, id, secret string) {
	t.Helper()
	conf, _ := c.Do("HGET", catalog.RcloneConf, id).(string)
	_, section, err := rcloneconf.Parse(conf)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := obscure.Reveal(section["pass"]); err != nil || plain != secret {
		t.Errorf("rclone reveals %q, %v", plain, err)
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
	id, _, _ := strings.Cut(stdout, "\n")
	if status != 0 || id == "" {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	g.node().want(t, http.StatusOK, http.MethodPost, "/"+id+"/"+mailRepo+"/?create=true", nil)

	// This server, unlike S3 itself, shows an object that is replaced at the moment.
	status, stdout, stderr = call("", "check", "--conformance", id)
	if status != 0 || strings.Contains(stdout, "FAILED") || !strings.Contains(stdout, "lists are complete at every depth: ok\n") {
		t.Errorf("check --conformance: exit status %d: %s%s", status, stdout, stderr)
	}
	if _, state, _ := strings.Cut(stdout, "one object at once: "); !strings.HasPrefix(state, "ok\n") && !strings.Contains(state, "one after the other") {
		t.Errorf("check --conformance does not explain what it found:\n%s", stdout)
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
	wantObscured(t, c, id, secret)
}
