package host

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestHiddenAnswersAreReadAsTyped(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, keys string
		lines      bool
		want       string
		err        error
		left       string // for the next question
	}{
		{"a line", "secret\rnext", false, "secret", nil, "next"},
		{"a line that ends as on Windows", "secret\r\nnext", false, "secret", nil, "next"},
		{"an empty one", "\r", false, "", nil, ""},
		{"corrected", "ab\x7f\x08cé\x7fd\r", false, "cd", nil, ""},
		{"corrected beyond its beginning", "\x7f\x7fa\r", false, "a", nil, ""},
		{"begun again", "abc\x15d\r", false, "d", nil, ""},
		{"ended before it began", "\x04next", false, "", io.EOF, "next"},
		{"lines that end before they begin", "\x04", true, "", io.EOF, ""},
		{"lines with an empty one between them", "a = 1\r\rb = 2\r\rnext", true, "a = 1\n\nb = 2\n", nil, "next"},
		{"several sections as on Windows", "[a]\r\nb = 1\r\n\r\n[c]\r\n\r\n\r\nd=2\r\n\r\n/srv/x\r\n", true, "[a]\nb = 1\n\n[c]\n\n\nd=2\n", nil, "/srv/x\r\n"},
		{"ended early", "abc\x04next", false, "abc", nil, "next"},
		{"interrupted", "abc\x03", false, "", errInterrupted, ""},
		{"lines", "a\rb\r\rnext", true, "a\nb\n", nil, "next"},
		{"lines with empty ones before them", "\r \ra\r\t\r", true, "a\n", nil, ""},
		{"lines as on Windows", "a\r\nb\r\n\r\nnext", true, "a\nb\n", nil, "next"},
	} {
		in := bufio.NewReader(strings.NewReader(tt.keys))
		got, err := readHidden(in, tt.lines)
		left := make([]byte, in.Buffered())
		_, _ = in.Read(left)
		if got != tt.want || !errors.Is(err, tt.err) || string(left) != tt.left {
			t.Errorf("%s: %q, %v, leaving %q", tt.name, got, err, left)
		}
	}
}
