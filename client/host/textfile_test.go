package host

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
)

// inUTF16 encodes a text as Windows does, with a byte order mark.
func inUTF16(text string, order binary.AppendByteOrder) []byte {
	data := order.AppendUint16(nil, 0xfeff)
	for _, unit := range utf16.Encode([]rune(text)) {
		data = order.AppendUint16(data, unit)
	}
	return data
}

func TestTextsAreReadAsEditorsSaveThem(t *testing.T) {
	t.Parallel()
	const text = "pässwörd 日本 𝄞\r\n"
	for name, data := range map[string][]byte{
		"UTF-8":                        []byte(text),
		"UTF-8 with a byte order mark": []byte("\ufeff" + text),
		"UTF-16":                       inUTF16(text, binary.LittleEndian),
		"UTF-16, big-endian":           inUTF16(text, binary.BigEndian),
	} {
		if got, err := textOf("f", data); got != text || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, data := range map[string][]byte{
		"Latin 1":                    []byte("p\xe4ssword"),
		"UTF-16 without a mark":      bytes.ReplaceAll([]byte("secret"), []byte("e"), []byte("e\x00")),
		"something that is compiled": {0x7f, 'E', 'L', 'F', 0},
	} {
		if got, err := textOf("f", data); err == nil || !strings.Contains(err.Error(), "the file f is no text") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
