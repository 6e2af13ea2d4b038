package host

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"syscall"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
)

// Prompter asks people: questions go to stderr, answers come from their terminal.
type Prompter struct {
	Sys *System
	in  *bufio.Reader
	tty *os.File
}

// Prompter returns the one that asks whoever sits at stdin; nil where nobody does.
func (s *System) Prompter() *Prompter {
	s.promptOnce.Do(func() {
		if tty, ok := s.Stdin.(*os.File); ok && term.IsTerminal(int(tty.Fd())) {
			s.prompt = &Prompter{Sys: s, in: bufio.NewReader(tty), tty: tty}
		}
	})
	return s.prompt
}

// Ask asks for a line.
func (p *Prompter) Ask(ctx context.Context, question string) (string, error) {
	fmt.Fprintf(p.Sys.Stderr, "%s: ", question)
	return p.await(ctx, question, func() (string, error) {
		line, err := p.in.ReadString('\n')
		if err != nil && line == "" {
			fmt.Fprintln(p.Sys.Stderr)
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	})
}

// AskUntil asks until the answer will do; complaint says why one does not.
func (p *Prompter) AskUntil(ctx context.Context, question string, complaint func(answer string) string) (string, error) {
	for {
		answer, err := p.Ask(ctx, question)
		if err != nil {
			return "", err
		}
		text := complaint(answer)
		if text == "" {
			return answer, nil
		}
		p.Sys.Notef("  %s", text)
	}
}

// AskSecret asks for a line that is not shown.
func (p *Prompter) AskSecret(ctx context.Context, question string) (string, error) {
	return p.hidden(ctx, question, " (not shown): ", false)
}

// AskText asks for lines that are not shown, up to an empty one or Ctrl-D.
func (p *Prompter) AskText(ctx context.Context, question string) (string, error) {
	return p.hidden(ctx, question, " (not shown; an empty line or Ctrl-D ends it): ", true)
}

// hidden asks for what is not shown. The terminal is in raw mode, for one that
// collects lines takes no more than 4,095 bytes in each; it is so before the
// question, for some type ahead.
func (p *Prompter) hidden(ctx context.Context, question, hint string, lines bool) (string, error) {
	fd := int(p.tty.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", fmt.Errorf("hide what is typed: %w", err)
	}
	defer fmt.Fprintln(p.Sys.Stderr)
	defer func() { _ = term.Restore(fd, before) }()
	fmt.Fprint(p.Sys.Stderr, question, hint)
	return p.await(ctx, question, func() (string, error) { return readHidden(p.in, lines) })
}

// What keys send in raw mode.
const (
	keyInterrupt = 'C' - '@'
	keyEnd       = 'D' - '@'
	keyBackspace = 'H' - '@'
	keyKill      = 'U' - '@' // removes the line
	keyDelete    = 0x7f
)

// errInterrupted says that Ctrl-C was typed where that sends no signal.
var errInterrupted = exit.Failf(exit.Signal+exit.Code(syscall.SIGINT), "interrupted")

// readHidden reads a line, or several up to an empty one.
func readHidden(in *bufio.Reader, lines bool) (string, error) {
	var text, line []byte
	for {
		key, err := in.ReadByte()
		if err != nil {
			return "", err
		}
		switch key {
		case keyInterrupt:
			return "", errInterrupted
		case keyEnd:
			if len(text)+len(line) == 0 {
				return "", io.EOF
			}
			return string(append(text, line...)), nil
		case keyKill:
			line = line[:0]
		case keyBackspace, keyDelete:
			_, size := utf8.DecodeLastRune(line)
			line = line[:len(line)-size]
		case '\r', '\n':
			if key == '\r' && in.Buffered() > 0 {
				if next, err := in.Peek(1); err == nil && next[0] == '\n' {
					_, _ = in.Discard(1) // it was peeked at
				}
			}
			if !lines {
				return string(line), nil
			}
			switch blank := len(bytes.TrimSpace(line)) == 0; {
			case blank && len(text) > 0 && !moreFollows(in):
				return string(text), nil
			case !blank || len(text) > 0:
				text = append(append(text, line...), '\n')
			}
			line = line[:0]
		default:
			line = append(line, key)
		}
	}
}

// settingLine is one of a section of rclone.conf, or the beginning of one.
var settingLine = regexp.MustCompile(`^\s*([\[#;]|[A-Za-z_][\w.-]*\s*=)`)

// moreFollows reports whether what was pasted continues after an empty line: were that
// taken for the answer to the next question, a secret in it would be shown.
func moreFollows(in *bufio.Reader) bool {
	rest, _ := in.Peek(in.Buffered()) // of what is there, all can be had
	return settingLine.Match(bytes.TrimLeft(rest, "\r\n"))
}

// await ends with ctx, so that a signal ends the wait for an answer.
func (p *Prompter) await(ctx context.Context, question string, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := read()
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil && a.err != errInterrupted { //nolint:errorlint // it is that very one
			return "", exit.Failf(exit.Usage, "no answer to the question for the %s: %w", question, a.err)
		}
		return a.text, a.err
	case <-ctx.Done():
		fmt.Fprintln(p.Sys.Stderr)
		return "", context.Cause(ctx)
	}
}
