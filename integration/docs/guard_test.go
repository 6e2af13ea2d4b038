package docs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ciScript is the one place that is no directory.
const ciScript = ".ci/run"

// TestOthersRunWhatTheyAreLeft wants a test that names the page in each place that a
// page leaves blocks to: it is found there, as docpage.Read takes its name.
func TestOthersRunWhatTheyAreLeft(t *testing.T) {
	t.Parallel()
	left := 0
	for _, p := range pages(t) {
		for _, b := range p.Blocks {
			if b.By == "" || b.By == ciScript {
				continue
			}
			left++
			if !testsName(t, b.By, p.Name) {
				t.Errorf("%s:%d is left to %s, where no test names %[1]s", p.Name, b.Line, b.By)
			}
		}
	}
	if left == 0 {
		t.Error("no page leaves anything to others")
	}
}

// testsName reports whether a test in that directory names the page.
func testsName(t *testing.T, dir, page string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(projectRoot, dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(text), `"`+page+`"`)
	})
}

// TestCIRunsWhatItIsLeft holds the blocks that the pages leave to .ci/run against what
// that script runs.
func TestCIRunsWhatItIsLeft(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile(filepath.Join(projectRoot, ciScript))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(script), "\n")
	found := 0
	for _, p := range pages(t) {
		for _, b := range p.LeftTo(ciScript) {
			found++
			command, _, _ := strings.Cut(b.Code, "#")
			if command = strings.TrimSpace(command); !slices.Contains(lines, "exec "+command) {
				t.Errorf("%s:%d: %s does not run %q", p.Name, b.Line, ciScript, command)
			}
		}
	}
	if found == 0 {
		t.Error("no page leaves anything to " + ciScript)
	}
}
