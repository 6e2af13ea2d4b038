package client

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
)

// TestHelp holds every applet to examples and an EXIT STATUS section.
func TestHelp(t *testing.T) {
	for _, a := range applets {
		for name, args := range map[string][]string{
			"by its name":         {a.name, "--help"},
			"through the program": {program, a.name, "--help"},
		} {
			t.Run(a.name+" called "+name, func(t *testing.T) {
				got := callApplet(t, nil, "", args...).succeed(t)
				for _, section := range []string{"\nUSAGE\n", "\nEXAMPLES\n  ", "\nEXIT STATUS\n  0     success\n"} {
					if !strings.Contains(got.stdout, section) {
						t.Errorf("the help has no section %q:\n%s", section, got.stdout)
					}
				}
				if got.stderr != "" {
					t.Errorf("the help says on stderr: %s", got.stderr)
				}
			})
		}
	}
}

func TestUnknownCommandIsAUsageError(t *testing.T) {
	callApplet(t, nil, "", program, "module-restore").fail(t, exit.Usage, `unknown command "module-restore" for gatewayctl: did you mean restore-module?`)
	callApplet(t, nil, "", program, "completion", "powershell").fail(t, exit.Usage, "name a shell: bash, zsh or fish")
}

func TestVersionIsToldToWhoAsksEitherWay(t *testing.T) {
	told := callApplet(t, nil, "", program, "version").succeed(t).stdout
	if asked := callApplet(t, nil, "", program, "--version").succeed(t).stdout; asked != told || !strings.HasPrefix(told, program+" ") {
		t.Errorf("version says %q, and --version %q", told, asked)
	}
}

func TestInstallLinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/nowhere", filepath.Join(dir, "redis-dump")); err != nil {
		t.Fatal(err)
	}
	callApplet(t, nil, "", program, "install-links", dir).succeed(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(applets) {
		t.Errorf("%d files in the directory, want %d links", len(entries), len(applets))
	}
	for _, a := range applets {
		if target, err := os.Readlink(filepath.Join(dir, a.name)); target != self {
			t.Errorf("%s leads to %q, %v; want %s", a.name, target, err, self)
		}
	}
}

func TestInstallLinksLeavesFilesAlone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "module-backup")
	if err := os.WriteFile(file, []byte("another's"), 0o755); err != nil {
		t.Fatal(err)
	}
	callApplet(t, nil, "", program, "install-links", dir).fail(t, exit.Failed, "is no symbolic link")
	if data, err := os.ReadFile(file); !bytes.Equal(data, []byte("another's")) {
		t.Errorf("the file holds %q, %v", data, err)
	}
}
