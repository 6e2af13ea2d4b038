package systemd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/docpage"
)

const (
	// place is what pages call these tests.
	place = "integration/systemd"
	// scriptDir is where the machine finds what runs a page, and leaves what it prints.
	scriptDir = "/run/tests"
	// buildPatience bounds a step of a guide: it may link the programs.
	buildPatience = 10 * time.Minute
)

// guide is a page whose commands are run on a machine, in their order.
type guide struct {
	machine *machine
	page    docpage.Page
	left    []docpage.Block // what has not been run yet
	files   []string        // what the page shows of files, in their order
	editor  string          // what somebody writes who is given an editor; empty: all is well as it is
}

var shownFile = regexp.MustCompile("(?s)```ini\n(.*?)\n```\n")

// openGuide reads the page of that name. At the end of the test all of it must have been run.
func openGuide(t *testing.T, m *machine, name string) *guide {
	t.Helper()
	page, err := docpage.Read(m.checkout, name)
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, "/usr/local/bin/sudo", sudo, 0o755)
	m.write(t, "/usr/local/bin/sudoedit", sudoedit, 0o755)
	g := &guide{machine: m, page: page, left: page.LeftTo(place)}
	for _, found := range shownFile.FindAllStringSubmatch(page.Text, -1) {
		g.files = append(g.files, found[1]+"\n")
	}
	t.Cleanup(func() {
		if !t.Failed() && len(g.left) > 0 {
			t.Errorf("%s:%d is not run", name, g.left[0].Line)
		}
	})
	return g
}

// followUntil runs the blocks up to the first that holds the text, in a copy of this
// repository, and returns what that one printed. What they read from the terminal is
// in typed.
func (g *guide) followUntil(t *testing.T, text, typed string) (printed string) {
	t.Helper()
	defer func() { g.editor = "" }()
	n := 0
	for n < len(g.left) && !strings.Contains(g.left[n].Code, text) {
		n++
	}
	if n == len(g.left) {
		t.Fatalf("%s: no block with %q", g.page.Name, text)
	}
	part := g.page
	part.Blocks, g.left = g.left[:n+1], g.left[n+1:]

	g.machine.write(t, editorInput, g.editor, 0o600)
	g.machine.write(t, scriptDir+"/script", docpage.Prologue+part.Script(place, scriptDir), 0o600)
	ctx, cancel := context.WithTimeout(t.Context(), buildPatience)
	defer cancel()
	cmd := g.machine.command(ctx, "sh", "-c", `cd "$0" && exec bash "$1"`, g.machine.checkout, scriptDir+"/script")
	cmd.Stdin = strings.NewReader(typed)
	cmd.Env = append(g.machine.goEnvironment(t), "HOME=/root", "LANG=C.UTF-8", "TERM=dumb", "SYSTEMD_EDITOR=sudoedit")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	outputs := filepath.Join(g.machine.root, scriptDir)
	if err := part.CheckOutputs(place, outputs); err != nil {
		t.Error(err)
	}
	output, err := os.ReadFile(filepath.Join(outputs, fmt.Sprintf("%d.out", part.Blocks[n].Line)))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(output))
}

// editorInput is what the editor writes.
const editorInput = scriptDir + "/editor"

// sudoedit is somebody with an editor.
const sudoedit = `#!/bin/sh
test ! -s ` + editorInput + ` || cat ` + editorInput + ` >"$1"
`

// sudo gives systemctl the terminal that it wants for an editor.
const sudo = `#!/bin/sh
case "$1 $2" in
"gatewayctl setup") exec script --quiet --return --command "$*" /dev/null ;;
"systemctl edit") exec script --quiet --return --command "$*" /dev/null </dev/null ;;
*) exec env "$@" ;;
esac
`
