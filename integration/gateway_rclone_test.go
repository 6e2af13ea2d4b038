package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCalledRclone does with the gateway's binary, called rclone as in the image,
// what NethServer 8 does with rclone in the gateway's container.
func TestCalledRclone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const destination = "14030a59-a4e6-54cc-b8ea-cd5f97fe44c8"
	called := filepath.Join(dir, "rclone")
	if err := os.Symlink(program(t, "RCLONE_GATEWAY"), called); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "rclone.conf")
	store := filepath.Join(dir, "store")
	section := "[" + destination + "]\ntype = alias\nremote = " + store + "\n"
	if err := os.WriteFile(conf, []byte(section), 0o600); err != nil {
		t.Fatal(err)
	}
	command := func(args ...string) *exec.Cmd {
		cmd := commandContext(t, called, args...)
		cmd.Env = []string{"RCLONE_CONFIG=" + conf}
		return cmd
	}
	run := func(args ...string) string { return runCommand(t, command(args...)) }

	run("mkdir", destination+":mail/repo")
	upload := command("rcat", destination+":mail/repo/config")
	upload.Stdin = strings.NewReader("a config")
	runCommand(t, upload)
	var listed []struct{ Path string }
	listing := run("--max-depth=3", "--include=config", "lsjson", "--files-only", destination+":")
	if err := json.Unmarshal([]byte(listing), &listed); err != nil || len(listed) != 1 || listed[0].Path != "mail/repo/config" {
		t.Errorf("lsjson: %v: %s", err, listing)
	}
	if got := run("lsd", destination+":"); !strings.Contains(got, "mail") {
		t.Errorf("lsd shows %q", got)
	}
	if got := run("cat", destination+":mail/repo/config"); got != "a config" {
		t.Errorf("cat prints %q", got)
	}
	if got := run("config", "show"); !strings.Contains(got, "remote = "+store) {
		t.Errorf("config show prints %q", got)
	}
	hide := command("obscure", "-")
	hide.Stdin = strings.NewReader("a password")
	if got := run("reveal", strings.TrimSpace(runCommand(t, hide))); got != "a password\n" {
		t.Errorf("reveal prints %q", got)
	}
	run("mkdir", destination+":probe.tmp")
	run("rmdir", destination+":probe.tmp")
	if _, err := os.Stat(filepath.Join(store, "probe.tmp")); !os.IsNotExist(err) {
		t.Errorf("rmdir left the directory: %v", err)
	}
	if err := command("lsd", "unknown:").Run(); exitCode(err) != 1 {
		t.Errorf("lsd of an unknown remote ends with %v, not with rclone's status 1", err)
	}
}
