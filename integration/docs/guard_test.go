package docs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCIRunsWhatItIsLeft holds the blocks that the pages leave to .ci/run against what
// that script runs.
func TestCIRunsWhatItIsLeft(t *testing.T) {
	t.Parallel()
	const place = ".ci/run"
	script, err := os.ReadFile(filepath.Join(projectRoot, place))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(script), "\n")
	found := 0
	for _, p := range pages(t) {
		for _, b := range p.LeftTo(place) {
			found++
			command, _, _ := strings.Cut(b.Code, "#")
			if command = strings.TrimSpace(command); !slices.Contains(lines, "exec "+command) {
				t.Errorf("%s:%d: %s does not run %q", p.Name, b.Line, place, command)
			}
		}
	}
	if found == 0 {
		t.Error("no page leaves anything to " + place)
	}
}
