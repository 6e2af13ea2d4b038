package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// address is where the pages say that the project is.
const address = "https://github.com/rclone-gateway/rclone-gateway"

// publish makes `git clone` of the address give this directory as it is, be all of it
// committed or not, to whoever lives in home.
func publish(t *testing.T, home string) {
	t.Helper()
	root, err := filepath.Abs(projectRoot)
	if err != nil {
		t.Fatal(err)
	}
	repository := filepath.Join(home, ".upstream")
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = root
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_DIR=" + repository, "GIT_WORK_TREE=" + root}
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, output)
		}
	}
	config := fmt.Sprintf("[user]\nname = Test\nemail = test@example.com\n[url \"file://%s\"]\ninsteadOf = %s\n", repository, address)
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	git("init", "--quiet")
	git("add", "--all")
	git("commit", "--quiet", "--message", "The project as it is")
}

// environment lets the go command run without a network. It finds compiled what it
// needs: outside of make, too, it is given the flags that make gives it.
func environment(t *testing.T) []string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE", "GOMODCACHE", "GOFLAGS").Output()
	if err != nil {
		t.Fatal(err)
	}
	values := strings.Split(string(output), "\n")
	linted := os.Getenv("GOLANGCI_LINT_CACHE")
	if linted == "" {
		if dir, err := os.UserCacheDir(); err == nil {
			linted = filepath.Join(dir, "golangci-lint")
		}
	}
	return []string{
		"GOCACHE=" + values[0], "GOMODCACHE=" + values[1], "GOPROXY=off", "GOLANGCI_LINT_CACHE=" + linted,
		"GOFLAGS=" + strings.TrimSpace(strings.ReplaceAll(values[2], "-trimpath", "")+" -trimpath"), "CGO_ENABLED=0",
		"CI=" + os.Getenv("CI"),
	}
}

// asRoot is the sudo of the pages. The packages that they install are there, so that
// in CI, on a machine for the tests alone, apt-get finds nothing to do; elsewhere it
// says what it would do.
const asRoot = `#!/bin/bash
set -eu
if [[ $1 != apt-get ]]; then
  exec "$@"
elif ! command -v apt-get >/dev/null; then
  exit 0
fi
shift
quietly=(--yes --no-upgrade --option DPkg::Lock::Timeout=600)
[[ -n ${CI-} ]] || quietly+=(--simulate)
exec apt-get "${quietly[@]}" "$@"
`
