package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// logTo starts the log as settings would, on a pipe that passes for the stream
// with that name; lines returns what was written.
func logTo(t *testing.T, s settings, stream func(dev, ino uint64) string) (lines func() []string) {
	t.Helper()
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	info, err := w.Stat()
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	t.Setenv("JOURNAL_STREAM", stream(stat.Dev, stat.Ino))
	if err := s.startLog(w); err != nil {
		t.Fatal(err)
	}
	return func() []string {
		_ = w.Close()
		var lines []string
		for scanner := bufio.NewScanner(r); scanner.Scan(); {
			lines = append(lines, scanner.Text())
		}
		return lines
	}
}

func journalStream(dev, ino uint64) string { return fmt.Sprintf("%d:%d", dev, ino) }

func TestTheJournalGetsPriorities(t *testing.T) {
	lines := logTo(t, settings{logLevel: "debug", logFormat: "auto"}, journalStream)
	log := slog.With("dest", "d1").WithGroup("more")
	log.Debug("a debug")
	log.Info("an info")
	log.Warn("a warning")
	log.Error("an error", "err", "x")
	log.Log(t.Context(), slog.LevelError+4, "worse")
	got := lines()
	want := []string{"<7>", "<6>", "<4>", "<3>", "<3>"}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i, line := range got {
		text, ok := strings.CutPrefix(line, want[i])
		var entry map[string]any
		if err := json.Unmarshal([]byte(text), &entry); !ok || err != nil || entry["dest"] != "d1" {
			t.Errorf("want %s and JSON with the destination: %s", want[i], line)
		}
	}
}

func TestOnlyTheJournalGetsPriorities(t *testing.T) {
	for name, stream := range map[string]func(dev, ino uint64) string{
		"without the variable":     func(uint64, uint64) string { return "" },
		"of a parent's stream":     func(dev, ino uint64) string { return fmt.Sprintf("%d:%d", dev, ino+1) },
		"with a broken variable":   func(uint64, uint64) string { return "journal" },
		"on another file system's": func(dev, ino uint64) string { return fmt.Sprintf("%d:%d", dev+1, ino) },
	} {
		t.Run(name, func(t *testing.T) {
			lines := logTo(t, settings{logLevel: "info", logFormat: "auto"}, stream)
			slog.Info("a line")
			if got := lines(); len(got) != 1 || !strings.HasPrefix(got[0], "{") {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestALogThatIsNoTerminalIsJSON(t *testing.T) {
	for format, begin := range map[string]string{"auto": "{", "json": "{", "text": "time="} {
		lines := logTo(t, settings{logLevel: "info", logFormat: format}, func(uint64, uint64) string { return "" })
		slog.Info("a line")
		if got := lines(); len(got) != 1 || !strings.HasPrefix(got[0], begin) {
			t.Errorf("%s: %q", format, got)
		}
	}
}

func TestSignalsStepThroughTheLevels(t *testing.T) {
	lines := logTo(t, settings{logLevel: "info", logFormat: "json"}, journalStream)
	more, less := true, false
	for i, step := range []struct {
		direction bool
		want      slog.Level
	}{
		{more, slog.LevelDebug}, {more, slog.LevelDebug}, {less, slog.LevelInfo}, {less, slog.LevelWarn},
		{less, slog.LevelError}, {less, slog.LevelError}, {more, slog.LevelWarn},
	} {
		stepLog(step.direction)
		if got := logLevel.Level(); got != step.want {
			t.Errorf("step %d: %s, want %s", i, got, step.want)
		}
		if !slog.Default().Enabled(t.Context(), step.want) || slog.Default().Enabled(t.Context(), step.want-1) {
			t.Errorf("step %d: the log is not at %s", i, step.want)
		}
	}
	got := lines()
	if len(got) != 7 {
		t.Fatalf("not every step is told of: %q", got)
	}
	if !strings.Contains(got[4], `"log_level":"error"`) {
		t.Errorf("%q", got[4])
	}
}

// TestPrefixedLinesStayWhole writes from many goroutines.
func TestPrefixedLinesStayWhole(t *testing.T) {
	r, w := io.Pipe()
	log := slog.New(newJournalHandler(w, encoders["json"]))
	long := strings.Repeat("long ", 100)
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 50 {
				log.Warn("a line", "long", long)
				log.Error("a line", "long", long)
			}
		})
	}
	go func() {
		writers.Wait()
		_ = w.Close()
	}()
	count := 0
	for scanner := bufio.NewScanner(r); scanner.Scan(); count++ {
		line := scanner.Text()
		if len(line) < 4 || !json.Valid([]byte(line[3:])) || line[0] != '<' {
			t.Fatalf("%q", line)
		}
	}
	if count != 400 {
		t.Errorf("%d lines", count)
	}
}

func TestTheLastWordIsAnErrorOfTheJournal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	info, err := w.Stat()
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	t.Setenv("JOURNAL_STREAM", journalStream(stat.Dev, stat.Ino))
	lastWord(w, io.ErrUnexpectedEOF)
	_ = w.Close()
	if got, _ := io.ReadAll(r); string(got) != "<3>rclone-gateway: unexpected EOF\n" {
		t.Errorf("%q", got)
	}
}
