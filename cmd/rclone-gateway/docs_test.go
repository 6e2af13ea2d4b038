package main

import (
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/docgen"
	"github.com/rclone-gateway/rclone-gateway/internal/docgen/docgentest"
)

func TestReference(t *testing.T) {
	t.Parallel()
	docgentest.Page(t, "rclone-gateway.md", `# rclone-gateway

The server. Every option of its commands can be given by an environment variable
instead; the option goes first. Passwords come from the environment or from files
only:

| variable | what it holds |
|---|---|
| `+"`REDIS_PASSWORD`"+` | password of the user of `+"`--redis-user`"+`, where `+"`--redis-password-file`"+` does not name a file |
| `+"`REDIS_EVENTS_PASSWORD`"+` | password of the user of `+"`--redis-events-user`"+`; without it one is sent that a user without password takes |
| `+"`REDIS_WRITER_PASSWORD`"+` | password of the user of `+"`--redis-writer-user`"+` |
`+docgen.Markdown(newRoot()))
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
