package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/docgen"
	"github.com/rclone-gateway/rclone-gateway/internal/docgen/docgentest"
)

func TestReference(t *testing.T) {
	t.Parallel()
	text := reference()
	docgentest.Page(t, "rclone-gateway.md", text)
	for _, name := range askedVariables(t) {
		if !strings.Contains(text, name) {
			t.Errorf("the reference does not mention $%s, which the program asks for", name)
		}
	}
}

var lookup = regexp.MustCompile(`(?:lookup|Getenv|LookupEnv)\("([A-Z_]+)"\)`)

// askedVariables finds the variables that the package's code looks up by name,
// apart from those of its options.
func askedVariables(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, found := range lookup.FindAllStringSubmatch(string(source), -1) {
			names = append(names, found[1])
		}
	}
	if len(names) == 0 {
		t.Fatal("no variable was found")
	}
	return names
}

func reference() string {
	return `# rclone-gateway

The server. An option that has a variable in the tables below can be given by it
instead; the option goes first. Passwords come from the environment or from files only,
and systemd sets three more:

| variable | what it holds |
|---|---|
| ` + "`REDIS_PASSWORD`" + ` | password of the user of ` + "`--redis-user`" + `; an error beside ` + "`--redis-password-file`" + ` or a password in the URL |
| ` + "`REDIS_SENTINEL_PASSWORD`" + ` | password of the Sentinels; an error beside ` + "`--redis-sentinel-password-file`" + ` |
| ` + "`REDIS_EVENTS_PASSWORD`" + ` | password of the user of ` + "`--redis-events-user`" + `; without it one is sent that a user without password takes |
| ` + "`REDIS_WRITER_PASSWORD`" + ` | password of the user of ` + "`--redis-writer-user`" + ` |
| ` + "`STATE_DIRECTORY`" + ` | systemd's directory for the service's state, for ` + "`--state-dir`" + ` |
| ` + "`CACHE_DIRECTORY`" + ` | systemd's directory for what may be lost, for ` + "`--cache-dir`" + ` |
| ` + "`JOURNAL_STREAM`" + ` | set by systemd where the log goes to its journal: lines then carry priorities |
` + docgen.Markdown(newRoot())
}

func TestManualPages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pages := manual()
	pages.Date = "2026-03-04" // a test binary does not know its commit
	if err := pages.Write(newRoot(), dir); err != nil {
		t.Fatal(err)
	}
	docgentest.Lint(t, dir)
}
