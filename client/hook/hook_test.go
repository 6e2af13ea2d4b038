package hook_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/hook"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// hooks are those of a test.
type hooks struct {
	hook.Hooks

	t    *testing.T
	said testenv.Buffer
}

func newHooks(t *testing.T, limit time.Duration) *hooks {
	h := &hooks{t: t}
	h.Hooks = hook.Hooks{Dir: t.TempDir(), Limit: limit, Output: &h.said}
	return h
}

func (h *hooks) add(when hook.When, name, script string, mode os.FileMode) string {
	h.t.Helper()
	path := filepath.Join(h.Dir, string(when), name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), mode), os.Chmod(path, mode)); err != nil {
		h.t.Fatal(err)
	}
	return path
}

func TestHooksRunInOrderWithTheFactsAndWithoutPasswords(t *testing.T) {
	t.Setenv("REDIS_PASSWORD", "hunter2hunter2")
	h := newHooks(t, time.Minute)
	out := filepath.Join(t.TempDir(), "out")
	h.add(hook.Before, "20-second", "echo second >>"+out, 0o700)
	h.add(hook.Before, "10-first", "env >"+out+"; echo said", 0o700)
	h.add(hook.Before, "README.md", "exit 1", 0o600)
	h.add(hook.Before, ".hidden", "exit 1", 0o700)
	h.add(hook.After, "x", "exit 1", 0o700)
	for _, r := range h.Run(t.Context(), hook.Before, map[string]string{"BACKUP_SCHEDULE_NAME": "nightly\nX=1;$(rm -rf /)", "BACKUP_MODULES": strings.Repeat("é", 40_000)}) {
		if r.Err != nil {
			t.Errorf("%s: %v", r.Path, r.Err)
		}
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	if !strings.HasSuffix(got, "second\n") || !strings.Contains(got, "BACKUP_HOOK=before\n") || !strings.Contains(got, "BACKUP_SCHEDULE_NAME=nightly?X=1;$(rm -rf /)\n") {
		t.Errorf("they wrote %.500s", got)
	}
	if strings.Contains(got, "hunter2") || len(got) > 40_000 {
		t.Errorf("they got a password, or too much: %d bytes", len(got))
	}
	if said := h.said.String(); said != "10-first: said\n" {
		t.Errorf("they said %q", said)
	}
	if results := h.Run(t.Context(), hook.Failure, nil); len(results) > 0 {
		t.Errorf("without a directory: %v", results)
	}
}

func TestAHookThatFailsIsNamed(t *testing.T) {
	t.Parallel()
	h := newHooks(t, time.Second)
	last := filepath.Join(h.Dir, "last")
	h.add(hook.After, "1-fails", "echo 'no such database' >&2; exit 3", 0o700)
	h.add(hook.After, "2-hangs", "sleep 600 & sleep 600", 0o700)
	h.add(hook.After, "3-is-no-program", "exit 0", 0o600)
	h.add(hook.After, "4-is-anybodys", "exit 0", 0o722)
	h.add(hook.After, "5-good", "touch "+last, 0o700)
	var got []string
	for _, r := range h.Run(t.Context(), hook.After, nil) {
		if r.Err != nil {
			got = append(got, filepath.Base(r.Path)+": "+r.Err.Error())
		}
	}
	want := []string{"exit status 3: no such database", "it did not end within 1s, and was ended", "it is not a program", "can be written by others"}
	if len(got) != len(want) {
		t.Fatalf("failed were %q", got)
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("%s, want %s", got[i], want[i])
		}
	}
	if _, err := os.Stat(last); err != nil {
		t.Errorf("the last one did not run: %v", err)
	}
}

func TestAHookThatFailsBeforeARunIsTheLast(t *testing.T) {
	t.Parallel()
	h := newHooks(t, time.Minute)
	h.add(hook.Before, "1", "exit 1", 0o700)
	h.add(hook.Before, "2", "exit 0", 0o700)
	if results := h.Run(t.Context(), hook.Before, nil); len(results) != 1 || results[0].Err == nil {
		t.Errorf("%v", results)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if results := h.Run(ctx, hook.Before, nil); len(results) != 1 || results[0].Err == nil {
		t.Errorf("when it is told to end: %v", results)
	}
}
