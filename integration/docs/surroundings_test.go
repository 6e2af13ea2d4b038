package docs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/docpage"
)

// surroundingsDir holds what pages name as their surroundings: NAME.sh is run before
// the page's blocks, and NAME.after.sh behind them.
const surroundingsDir = "testdata/surroundings"

// exitMissing is what a script ends with where something of the system is missing.
const exitMissing = 77

// helpers are functions for the scripts of that directory.
const helpers = `
# within waits some minutes for a command to succeed.
within() {
  local try
  for try in {1..9000}; do "$@" >/dev/null 2>&1 && return; sleep 0.02; done
  "$@"
}
# listening waits for the server that was just started in the background to listen on a
# host's port. It shows the server's log where that ends before.
listening() {
  local try
  for try in {1..9000}; do
    (: <"/dev/tcp/$1/$2") 2>/dev/null && return
    kill -0 $! 2>/dev/null || break
    sleep 0.02
  done
  cat "$3" >&2
  fail "no server listens at $1:$2"
}
# missing ends a page that cannot be run here; need does, where a program is missing.
missing() { echo "$*" >&2; exit 77; }
need() { command -v "$1" >/dev/null || missing "no $1: run make deps"; }
need_root() { [[ $ROOT == yes ]] || missing "$1 runs as root only"; }
`

// surroundings is the part of the script that comes before the page's own.
func surroundings(t *testing.T, p docpage.Page, outputs string) string {
	t.Helper()
	var w strings.Builder
	for _, kind := range p.Surroundings {
		if earlier, after := strings.CutPrefix(kind, "after "); after {
			dir := filepath.Join(outputs, "earlier")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			before, err := docpage.Read(projectRoot, earlier)
			if err != nil {
				t.Fatal(err)
			}
			w.WriteString(surroundings(t, before, dir) + before.Before().Script("", dir))
			continue
		}
		w.WriteString(surrounding(t, kind))
	}
	return w.String()
}

// surrounding is the part of one of them.
func surrounding(t *testing.T, kind string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(surroundingsDir, kind+".sh"))
	if err != nil {
		t.Fatalf("surroundings %q, which the tests do not know: %v", kind, err)
	}
	return guarded(kind, string(text))
}

// aftermath is the part of the script that comes behind the page's own.
func aftermath(t *testing.T, p docpage.Page) string {
	t.Helper()
	var w strings.Builder
	for _, kind := range p.Surroundings {
		text, err := os.ReadFile(filepath.Join(surroundingsDir, kind+".after.sh"))
		if err == nil {
			w.WriteString(guarded("after "+kind, string(text)))
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return w.String()
}

// guarded ends the script where a command of the text fails.
func guarded(name, text string) string {
	return fmt.Sprintf("\necho '== surroundings: %s' >&2\ntrap 'fail \"surroundings %s: $BASH_COMMAND\"' ERR\n%s\ntrap - ERR\n", name, name, text)
}
