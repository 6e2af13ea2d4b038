package points

import (
	"bufio"
	"encoding/json"
	"io"
)

// lines writes lines of JSON, of which there may be millions.
type lines struct {
	out     *bufio.Writer
	encoder *json.Encoder
}

func newLines(w io.Writer) *lines {
	out := bufio.NewWriter(w)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return &lines{out, encoder}
}

func (l *lines) encode(v any) error { return l.encoder.Encode(v) }
func (l *lines) flush() error       { return l.out.Flush() }
