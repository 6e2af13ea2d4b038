package scheduler

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program is a program that stands for gatewayctl.
func program(t *testing.T, script string) func(context.Context, ...string) (*exec.Cmd, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gatewayctl")
	if script != "" {
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return func(ctx context.Context, args ...string) (*exec.Cmd, error) {
		cmd := exec.CommandContext(ctx, path, args...)
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		return cmd, nil
	}
}

func TestHowAProcessEnded(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.November, 30, 2, 30, 0, 0, time.UTC)
	for script, want := range map[string]struct {
		status int
		err    string
	}{
		"exit 0":            {},
		"exit 4":            {status: 4},
		"kill -KILL $$":     {err: "ended by signal: killed"},
		"exit 143":          {err: "ended by signal: terminated"},
		"exec /nowhere/at/": {status: 127},
	} {
		got := Process{Command: program(t, script)}.Run(t.Context(), Planned{Schedule: every("1", "daily")}, at)
		if got.Status != want.status && want.status != 127 || (got.Err == nil) != (want.err == "") || got.Err != nil && !strings.Contains(got.Err.Error(), want.err) {
			t.Errorf("%s: %+v, want %+v", script, got, want)
		}
	}
	if got := (Process{Command: program(t, "")}).Run(t.Context(), Planned{}, at); got.Err == nil || !strings.Contains(got.Err.Error(), "cannot be started") {
		t.Errorf("a program that is not there: %+v", got)
	}
}

func TestAProcessIsToldWhatItWasPlannedFor(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	at := time.Date(2026, time.November, 30, 3, 30, 0, 0, time.FixedZone("CET", 3600))
	p := Process{Command: program(t, `echo "$@"`), Output: &out, Dir: "/srv/runs"}
	if got := p.Run(t.Context(), Planned{Schedule: every("7", "daily")}, at); got.Err != nil {
		t.Fatal(got.Err)
	}
	if want := "run-backup --backup 7 --planned 2026-11-30T02:30:00Z --state-dir /srv/runs\n"; out.String() != want {
		t.Errorf("it is called with %q, want %q", out.String(), want)
	}
}

func TestAProcessIsAskedToEndAndWaitedFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	started, cleaned := filepath.Join(dir, "started"), filepath.Join(dir, "cleaned")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for range 60_000 {
			if _, err := os.Stat(started); err == nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	script := `trap 'touch ` + cleaned + `; exit 143' TERM; touch ` + started + `; while :; do sleep 0.01; done`
	got := Process{Command: program(t, script)}.Run(ctx, Planned{}, time.Time{})
	if got.Err == nil || !strings.Contains(got.Err.Error(), "terminated") {
		t.Errorf("it ended as %+v", got)
	}
	if _, err := os.Stat(cleaned); err != nil {
		t.Errorf("it was not given the time to clean up: %v", err)
	}
}
