// Package rcloneconf reads and writes sections of an rclone configuration file, in which
// NethServer 8 stores a destination's backend and its secrets. It has no imports outside
// the standard library, and its errors quote no value.
package rcloneconf

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// KeyType is the key that names the rclone backend.
const KeyType = "type"

var (
	errSectionName = errors.New("section name is empty or spans lines")
	errMultiline   = errors.New("value spans lines, which a section cannot hold")
)

// Parse reads one section of an rclone configuration file: a [name] and "key = value"
// lines, with blank lines and comments anywhere. Values are parsed as by rclone, which
// removes surrounding white space and a pair of ` or """. Unlike rclone it does not replace
// %(key)s by another key's value, which no destination intends. Of several lines with one
// key, the last wins.
//
// Keys have the form of rclone's options: letters, digits, "_", "." and "-", not beginning
// with a digit. Errors give the line's number without its text.
func Parse(text string) (name string, values map[string]string, err error) {
	return parse(text, "")
}

// ParseSettings is Parse for a section without its [name].
func ParseSettings(text string) (values map[string]string, err error) {
	_, values, err = parse(text, "-")
	return values, err
}

// parse parses a section with a known name, if that is not empty.
func parse(text, known string) (name string, values map[string]string, err error) {
	name = known
	values = make(map[string]string)
	text = strings.TrimPrefix(text, "\ufeff")
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[' && line[len(line)-1] == ']':
			if name != "" {
				return "", nil, fmt.Errorf("line %d: a second section begins", number)
			}
			if name = strings.TrimSpace(line[1 : len(line)-1]); name == "" {
				return "", nil, fmt.Errorf("line %d: %w", number, errSectionName)
			}
		case name == "":
			return "", nil, fmt.Errorf("line %d: text before the [name] of the section", number)
		default:
			key, value, err := parseSetting(line)
			if err != nil {
				return "", nil, fmt.Errorf("line %d: %w", number, err)
			}
			values[key] = value
		}
	}
	if name == "" {
		return "", nil, errors.New("no [name] of a section")
	}
	return name, values, nil
}

// Format formats a section for Parse and rclone: type first, the other keys sorted. Errors
// quote no value.
func Format(name string, values map[string]string) (string, error) {
	if name == "" || strings.TrimSpace(name) != name || strings.Contains(name, "\n") {
		return "", errSectionName
	}
	keys := slices.Sorted(maps.Keys(values))
	if i, found := slices.BinarySearch(keys, KeyType); found {
		keys = slices.Insert(slices.Delete(keys, i, i+1), 0, KeyType)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[%s]\n", name)
	for _, key := range keys {
		if !validKey(key) {
			return "", errors.New("key is not one that a section can hold")
		}
		value := values[key]
		if strings.Contains(value, "\n") {
			return "", fmt.Errorf("%s: %w", key, errMultiline)
		}
		if got, err := parseValue(value); err != nil || got != value {
			value = `"""` + value + `"""`
		}
		fmt.Fprintf(&b, "%s = %s\n", key, value)
	}
	return b.String(), nil
}

// parseSetting parses "key = value" or "key: value", which rclone accepts too.
func parseSetting(line string) (key, value string, err error) {
	i := strings.IndexAny(line, "=:")
	if i < 0 {
		return "", "", errors.New(`no "=" between a key and a value (a value of several lines, such as key_pem, goes on one line, with \n between them)`)
	}
	if key = strings.TrimSpace(line[:i]); !validKey(key) {
		return "", "", errors.New(`what stands before "=" is no key`)
	}
	value, err = parseValue(line[i+1:])
	return key, value, err
}

// parseValue removes the white space and the quotes that rclone removes. The last quote of
// the same kind ends the value; what follows is dropped.
func parseValue(s string) (string, error) {
	s = strings.TrimSpace(s)
	var quote string
	switch {
	case len(s) >= 2 && s[0] == '`':
		quote = "`"
	case len(s) >= 6 && strings.HasPrefix(s, `"""`):
		quote = `"""`
	default:
		return s, nil
	}
	s = s[len(quote):]
	end := strings.LastIndex(s, quote)
	if end < 0 {
		return "", errors.New("a quote is not closed")
	}
	return s[:end], nil
}

func validKey(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case i > 0 && (c >= '0' && c <= '9' || c == '.' || c == '-'):
		default:
			return false
		}
	}
	return s != ""
}

// Remotes returns the destination IDs before a colon in the values of a section, as in
// "remote = ID:path" or "upstreams = a=ID:x b=ID:y".
func Remotes(values map[string]string) []string {
	const idLength = 36
	var ids []string
	for _, value := range values {
		for i := range len(value) {
			if value[i] == ':' && i >= idLength {
				ids = append(ids, value[i-idLength:i])
			}
		}
	}
	return ids
}
