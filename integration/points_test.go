package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// asNode1 runs gatewayctl as node 1 and returns what it wrote to stdout.
func asNode1(t *testing.T, c *cluster, g *served, home string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := commandContext(t, program(t, "GATEWAYCTL"), args...)
	cmd.Env = []string{
		"PATH=" + home + ":" + os.Getenv("PATH"), "HOME=" + home, "NS8_RESTIC_RUNTIME=native", "NS8_GATEWAY_URL=" + g.url,
		"REDIS_ADDRESS=" + c.Addr, "REDIS_REPLICA_ADDRESS=" + c.Addr, "REDIS_USER=node/1", "REDIS_PASSWORD=" + redistest.Password("node/1"),
	}
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	ended, failed := errors.AsType[*exec.ExitError](err)
	if err != nil && !failed {
		t.Fatal(err)
	}
	if failed {
		code = ended.ExitCode()
	}
	return string(out), said.String(), code
}

// TestTwoHundredRepositoriesAreListed copies a real repository, whose password all of a
// destination's have.
func TestTwoHundredRepositoriesAreListed(t *testing.T) {
	t.Parallel()
	const repositories = 200
	c := newCluster(t)
	c.Do("HSET", "private/agents/backup_destination/restic_password", localDest, resticPassword)
	g := c.serve(t)
	home := t.TempDir()
	if err := os.Symlink(program(t, "RESTIC_0_18"), filepath.Join(home, "restic")); err != nil {
		t.Fatal(err)
	}
	module := newRestic(t, "RESTIC_0_18", g.url+"/"+localDest, mailRepo, "module/mail1")
	tree := t.TempDir()
	writeFile(t, filepath.Join(tree, "file"), []byte("content"))
	module.seed(t, 2)
	module.run(t, "backup", tree)
	for i := range repositories - 1 {
		copied := filepath.Join(c.dir, fmt.Sprintf("app%d", i%20), fmt.Sprintf("%08d-0000-4000-8000-000000000000", i))
		if err := os.CopyFS(copied, os.DirFS(filepath.Join(c.dir, mailRepo))); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(c.dir, "app3", ".DS_Store"), []byte("x"))

	out, said, code := asNode1(t, c, g, home, "repository", "list", "--json")
	var list []struct {
		Path      string `json:"path"`
		Installed string `json:"installed_instance"`
		Snapshots int    `json:"snapshots"`
		Timestamp int64  `json:"timestamp"`
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 {
		t.Fatalf("%v, exit status %d: %s", err, code, said)
	}
	if len(list) != repositories || !strings.Contains(said, "app3/.DS_Store: a file") {
		t.Errorf("%d repositories; %s", len(list), said)
	}
	for _, r := range list {
		if r.Snapshots != 1 || r.Timestamp <= 0 || (r.Installed == "mail1") != (r.Path == mailRepo) {
			t.Errorf("%+v", r)
		}
	}

	out, said, code = asNode1(t, c, g, home, "snapshot", "list", "--json", "--destination", localDest, "mail1")
	if code != 0 || strings.Count(out, `"timestamp"`) != 1 || !strings.Contains(out, mailRepo) {
		t.Errorf("exit status %d: %s%s", code, out, said)
	}
}
