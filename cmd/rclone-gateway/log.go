package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/term"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
)

// logLevel is the minimum level that is logged. Signals change it.
var logLevel slog.LevelVar

// startLog creates the process's logger, which rclone uses too.
func (s *settings) startLog(w io.Writer) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.logLevel)); err != nil {
		return fmt.Errorf("--log-level: %q is not one of debug, info, warn, error", s.logLevel)
	}
	logLevel.Set(level)
	format := s.logFormat
	if format == "auto" {
		format = "json"
		if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			format = "text"
		}
	}
	encode, known := encoders[format]
	if !known {
		return fmt.Errorf("--log-format: %q is not one of auto, text, json", s.logFormat)
	}
	handler := encode(w)
	if isJournal(w, os.Getenv("JOURNAL_STREAM")) {
		handler = newJournalHandler(w, encode)
	}
	slog.SetDefault(slog.New(handler))
	backend.Init(handler)
	return nil
}

// encoders create the handler of each format. logLevel decides which levels pass.
var encoders = map[string]func(io.Writer) slog.Handler{
	"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, &slog.HandlerOptions{Level: &logLevel}) },
	"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: &logLevel}) },
}

// logSteps are the levels that the signals select, most verbose first.
var logSteps = []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}

// stepLog makes the log one level more or less verbose, and says so at a level that is
// always logged.
func stepLog(more bool) {
	place := 0
	for i, level := range logSteps {
		if level <= logLevel.Level() {
			place = i
		}
	}
	if more {
		place = max(place-1, 0)
	} else {
		place = min(place+1, len(logSteps)-1)
	}
	logLevel.Set(logSteps[place])
	slog.Log(context.Background(), max(slog.LevelInfo, logSteps[place]), "logging from another level on",
		"log_level", strings.ToLower(logSteps[place].String()))
}

// isJournal reports whether w is the stream that systemd connected to the journal, whose
// device and inode are in JOURNAL_STREAM. A child inherits the variable even if its output
// is redirected.
func isJournal(w io.Writer, stream string) bool {
	f, ok := w.(*os.File)
	if !ok || stream == "" {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stream == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

// Syslog priorities, which the journal reads at the beginning of a line.
const (
	priorityError   = "<3>"
	priorityWarning = "<4>"
	priorityInfo    = "<6>"
	priorityDebug   = "<7>"
)

// journalHandler prefixes each line with the priority of its level.
type journalHandler struct {
	byPriority map[string]slog.Handler
}

func newJournalHandler(w io.Writer, encode func(io.Writer) slog.Handler) slog.Handler {
	lock := new(sync.Mutex)
	h := journalHandler{make(map[string]slog.Handler)}
	for _, priority := range []string{priorityError, priorityWarning, priorityInfo, priorityDebug} {
		h.byPriority[priority] = encode(&prefixed{w: w, prefix: priority, lock: lock})
	}
	return h
}

func priorityOf(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return priorityError
	case level >= slog.LevelWarn:
		return priorityWarning
	case level >= slog.LevelInfo:
		return priorityInfo
	}
	return priorityDebug
}

// Enabled implements slog.Handler.
func (h journalHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= logLevel.Level()
}

// Handle implements slog.Handler.
func (h journalHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.byPriority[priorityOf(r.Level)].Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.each(func(inner slog.Handler) slog.Handler { return inner.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler.
func (h journalHandler) WithGroup(name string) slog.Handler {
	return h.each(func(inner slog.Handler) slog.Handler { return inner.WithGroup(name) })
}

func (h journalHandler) each(change func(slog.Handler) slog.Handler) slog.Handler {
	changed := journalHandler{make(map[string]slog.Handler)}
	for priority, inner := range h.byPriority {
		changed.byPriority[priority] = change(inner)
	}
	return changed
}

// prefixed writes each line, which comes as one Write, in one Write with a prefix; lock
// serializes the writers of all prefixes.
type prefixed struct {
	w      io.Writer
	prefix string
	lock   *sync.Mutex
	line   []byte
}

func (p *prefixed) Write(line []byte) (int, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.line = append(append(p.line[:0], p.prefix...), line...)
	if _, err := p.w.Write(p.line); err != nil {
		return 0, err
	}
	return len(line), nil
}

// lastWord prints why the program ends: one line, at error level for the journal.
func lastWord(w io.Writer, err error) {
	prefix := ""
	if isJournal(w, os.Getenv("JOURNAL_STREAM")) {
		prefix = priorityError
	}
	fmt.Fprintf(w, "%srclone-gateway: %v\n", prefix, err)
}
