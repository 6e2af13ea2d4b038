// Package docgentest holds what is generated against what the tests of each package
// say that it must be.
package docgentest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// notice begins every generated page.
const notice = "<!-- Made from the code by `make docs`. Do not edit. -->\n\n"

// Update is the variable that makes Page write pages rather than compare them.
const Update = "UPDATE_DOCS"

// Page checks that docs/reference/name of the project holds text; with Update set
// it writes it.
func Page(tb testing.TB, name, text string) {
	tb.Helper()
	path := filepath.Join(root(tb), "docs", "reference", name)
	want := []byte(notice + text)
	if os.Getenv(Update) != "" {
		if err := os.WriteFile(path, want, 0o644); err != nil { //nolint:gosec // everybody reads it
			tb.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		tb.Errorf("docs/reference/%s is stale: run `make docs`. %s", name, firstDifference(got, want))
	}
}

func firstDifference(got, want []byte) string {
	was, is := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(was), len(is)) {
		if !bytes.Equal(was[i], is[i]) {
			return "It says\n  " + string(was[i]) + "\nand should say\n  " + string(is[i])
		}
	}
	return "One ends where the other continues."
}

// root is the directory of go.mod, above the package that is tested.
func root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		_, err = os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			return dir
		}
		if errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
			err = nil
		}
	}
	tb.Fatal(err)
	return ""
}

// Lint holds every manual page in dir to what mandoc finds right. Without mandoc the
// test fails in CI and is skipped elsewhere.
func Lint(tb testing.TB, dir string) {
	tb.Helper()
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		testenv.Missing(tb, "no mandoc: install it (Debian's package mandoc)")
	}
	manuals, err := filepath.Glob(filepath.Join(dir, "*.[1-8]"))
	if err != nil || len(manuals) == 0 {
		tb.Fatalf("no manual pages in %s: %v", dir, err)
	}
	said, err := exec.Command(mandoc, append([]string{"-T", "lint", "-W", "warning"}, manuals...)...).CombinedOutput()
	if err != nil || len(said) > 0 {
		tb.Errorf("mandoc: %v\n%s", err, said)
	}
}
