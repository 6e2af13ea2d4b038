package client

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// textOf decodes what an editor or a shell has saved as a text: UTF-8, or as
// Windows does it UTF-16, each with a byte order mark or, the former, without.
// Name is that of the file, for errors.
func textOf(name string, data []byte) (string, error) {
	text, _, err := transform.Bytes(unicode.BOMOverride(transform.Nop), data)
	if err != nil || !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return "", failf(exitUsage, "%s is no text in UTF-8: save it as such", nameOfInput(name))
	}
	return string(text), nil
}

// nameOfInput is how messages call a file that flags name.
func nameOfInput(name string) string {
	if name == "-" {
		return "what came on stdin"
	}
	return fmt.Sprintf("the file %s", name)
}
