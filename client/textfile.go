package client

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// textOf decodes what an editor or a shell has saved as a text: UTF-8, or as
// Windows does it UTF-16, each with a byte order mark or, the former, without.
// Name is that of the file, for errors.
func textOf(name string, data []byte) (string, error) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	if order != nil {
		text = decodeUTF16(data[2:], order)
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return "", failf(exitUsage, "%s is no text in UTF-8: save it as such", nameOfInput(name))
	}
	return text, nil
}

func decodeUTF16(data []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return string(utf16.Decode(units))
}

// nameOfInput is how messages call a file that flags name.
func nameOfInput(name string) string {
	if name == "-" {
		return "what came on stdin"
	}
	return fmt.Sprintf("the file %s", name)
}
