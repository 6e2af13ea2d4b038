// Package secretfile reads the files that people keep passwords in.
package secretfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// mostBytes bounds the size of the file.
const mostBytes = 64 << 10

// ErrNotText says that a file does not contain text.
var ErrNotText = errors.New("is no text in UTF-8: save it as such")

// Decode decodes text that an editor or a shell saved: UTF-8, or Windows' UTF-16. It drops
// a byte order mark.
func Decode(data []byte) (string, error) {
	text, _, err := transform.Bytes(unicode.BOMOverride(transform.Nop), data)
	if err != nil || !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return "", ErrNotText
	}
	return string(text), nil
}

// Read returns the password in a file of one line. An empty file and further lines are
// errors, which do not quote the content.
func Read(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, mostBytes))
	if err != nil {
		return "", err
	}
	text, err := Decode(data)
	if err != nil {
		return "", fmt.Errorf("%s %w", path, err)
	}
	text = strings.TrimRight(text, "\r\n")
	switch {
	case text == "":
		return "", fmt.Errorf("%s is empty: it must hold the password", path)
	case strings.ContainsAny(text, "\r\n"):
		return "", fmt.Errorf("%s holds more than one line: it must hold the password alone", path)
	}
	return text, nil
}

// Source is a possible source of a password.
type Source struct {
	Name  string // the name for people: "$REDIS_PASSWORD"
	Given bool
	Read  func() (string, error)
}

// One returns the password of the only source that was given, "" if there was none. Two
// sources are an error that names them.
func One(what string, sources ...Source) (string, error) {
	var given []Source
	for _, s := range sources {
		if s.Given {
			given = append(given, s)
		}
	}
	switch len(given) {
	case 0:
		return "", nil
	case 1:
		secret, err := given[0].Read()
		if err != nil {
			return "", fmt.Errorf("%s: %w", given[0].Name, err)
		}
		return secret, nil
	}
	return "", fmt.Errorf("%s is given twice, by %s and by %s: give one of them", what, given[0].Name, given[1].Name)
}

// Value is a source that holds the password itself; "" means not given.
func Value(name, secret string) Source {
	return Source{name, secret != "", func() (string, error) { return secret, nil }}
}

// File is a source that names a file; "" means not given.
func File(name, path string) Source {
	return Source{name, path != "", func() (string, error) { return Read(path) }}
}
